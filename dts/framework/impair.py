# SPDX-License-Identifier: Apache-2.0
"""Bad wires between a box and its peers: loss, duplicates, disorder, bit errors, delay.

Many kernels lack netem, so relay/impair.c does it: it joins the box's tap, which stays beside the
box, to a tap of its own, which goes to the peer. A tap without a virtual header has no offloads:
what the relay sees are packets of the MTU with whole checksums.
"""

import json
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

from framework.process import Failed, Process


@dataclass(frozen=True)
class Impairment:
    """What happens to TCP on a wire, in each direction. Probabilities are in per cent."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0  # these packets are 1 to 5 ms late, others overtake them
    corrupt: float = 0.0  # one bit
    delay: float = 0.0  # ms, one way
    jitter: float = 0.0  # ms at most, in order

    def spec(self) -> str:
        return ",".join(f"{key}={value:g}" for key, value in asdict(self).items())


class Relay:
    """A running relay between the tap `wire` and a tap of its own, `inner`."""

    def __init__(self, process: Process, inner: str) -> None:
        self.process, self.inner = process, inner
        self.process.wait_log("ready")

    def counts(self) -> dict[str, dict[str, int]]:
        """Ends the relay. {"to_wire": {"tcp": .., "lost": ..}, "to_tap": {..}}"""
        if self.process.alive():
            self.process.stop(signal.SIGTERM)
        lines = self.process.text().splitlines()
        if not lines[-1].startswith("{"):
            raise Failed(f"the relay ended without a word: {self.process.text()[-500:]}")
        return json.loads(lines[-1])


def command(build: Path, wire: str, inner: str, impairment: Impairment, seed: int) -> list[str]:
    binary = build / "dts/relay/impair"
    if not binary.exists():
        raise Failed(f"{binary} is missing: build everything")
    return [str(binary), "--seed", str(seed), "--to-wire", impairment.spec(), "--to-tap",
            impairment.spec(), wire, inner]
