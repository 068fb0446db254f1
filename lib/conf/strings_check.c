/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "internal.h"
#include "strings_check.h"

#define HEX "0123456789abcdefABCDEF"

static const char name_chars[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

const char *wk_conf_bad_name(const char *text)
{
	size_t len = strlen(text);

	if (len == 0)
		return "is empty";
	if (len > NAME_MAX_B)
		return "is longer than 63 bytes";
	if (strspn(text, name_chars) != len)
		return "may have letters, digits, '_', '-' and '.' only";
	return NULL;
}

const char *wk_conf_bad_instance(const char *text)
{
	/* It becomes the name of a folder. */
	if (text[0] == '.' || text[0] == '-')
		return "may not begin with '.' or '-'";
	return wk_conf_bad_name(text);
}

/* The length of "dddd:bb:dd.f" or "bb:dd.f" at the beginning, 0 if there is none. */
static size_t pci_len(const char *text)
{
	size_t at = strspn(text, HEX);
	const char *rest;

	if (at == 4 && text[4] == ':')
		at = 5;
	else
		at = 0;
	rest = text + at;
	if (strspn(rest, HEX) != 2 || rest[2] != ':' || strspn(rest + 3, HEX) != 2 ||
	    rest[5] != '.' || rest[6] < '0' || rest[6] > '7')
		return 0;
	return at + 7;
}

const char *wk_conf_bad_device(const char *text)
{
	static const char *const drivers[] = { "net_tap",   "net_af_packet", "net_pcap",
					       "net_memif", "net_ring",      "net_null" };
	size_t len = strcspn(text, ",");
	bool known = pci_len(text) == len && len != 0;

	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		known |= strncmp(text, drivers[i], strlen(drivers[i])) == 0;
	if (!known)
		return "is neither a PCI address (0000:3b:00.0) nor one of net_tap*, "
		       "net_af_packet*, net_pcap*, net_memif*, net_ring*, net_null*";
	if (pci_len(text) == 0 && strspn(text, name_chars) != len)
		return "has a device name with other than letters, digits, '_', '-' and '.'";
	if (len > NAME_MAX_B)
		return "has a device name longer than 63 bytes";
	if (strpbrk(text, " \t") != NULL)
		return "has a blank in it";
	return NULL;
}

bool wk_conf_same_device(const char *a, const char *b)
{
	size_t len_a, len_b;

	if (pci_len(a) != 0 && strncmp(a, "0000:", 5) == 0)
		a += 5;
	if (pci_len(b) != 0 && strncmp(b, "0000:", 5) == 0)
		b += 5;
	len_a = strcspn(a, ",");
	len_b = strcspn(b, ",");
	return len_a == len_b && strncasecmp(a, b, len_a) == 0;
}

static bool option_is(const char *text, const char *option)
{
	size_t len = strlen(option);

	return strncmp(text, option, len) == 0 && (text[len] == '\0' || text[len] == '=');
}

const char *wk_conf_bad_eal(const char *text)
{
	if (text[0] == '\0')
		return "has an empty argument";
	if (option_is(text, "--file-prefix"))
		return "has --file-prefix, which `instance` sets";
	if (option_is(text, "--proc-type"))
		return "has --proc-type, but wicket is always the primary process";
	if (strcmp(text, "--") == 0)
		return "has \"--\", which ends EAL's arguments";
	return NULL;
}

const char *wk_conf_bad_file(const char *text)
{
	if (strcmp(text, "-") == 0)
		return NULL;
	if (text[0] != '/')
		return "is neither an absolute path nor \"-\"";
	return text[strlen(text) - 1] == '/' ? "is a folder" : NULL;
}

const char *wk_conf_bad_events_file(const char *text)
{
	return text[0] == '\0' ? NULL : wk_conf_bad_file(text);
}
