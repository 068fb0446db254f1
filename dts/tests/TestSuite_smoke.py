# SPDX-License-Identifier: Apache-2.0
from api.conf import Conf
from api.test import TestSuite, equal, func_test, verify
from framework.lab import FAMILIES


class TestSmoke(TestSuite):
    """The lab works, a plain wire works, the firewall starts, answers and stops."""

    @func_test
    def door_calls_pass_a_plain_wire(self) -> None:
        """D1, with testpmd in the middle: what the lab itself is worth.
        Verify:
            * GetName, GetLocation and SetAccessCode answer as the door manager says.
        """
        family = FAMILIES["ipv4"]
        lab = self.lab()
        self.wire(lab)
        doors = self.doors(lab)
        for arguments, words in (
            (["GetName", "1"], "Door name is: Spaceport Door #1"),
            (["GetLocation", "1"],
             "Door location is lat = 10.222200393676758 long = 68.87879943847656"),
            (["SetAccessCode", "1", "999"], "Successfully set AccessCode to 999"),
        ):
            equal(self.terminal(lab, family, *arguments), words, " ".join(arguments))
        equal(doors.record.access_code(), 999, "the access code at the server")
