# SPDX-License-Identifier: Apache-2.0
"""What differs between the places where the suites run; see configurations/."""

from dataclasses import dataclass, fields
from pathlib import Path

import yaml


@dataclass
class Settings:
    eal: tuple[str, ...] = ("--no-huge",)
    families: tuple[str, ...] = ("ipv4", "ipv6", "vlan", "vlan6", "qinq", "qinq6")
    case_seconds: int = 120
    patience: float = 1.0
    workers: int = 1
    queues: str = ""  # "apart", "any": see Firewall.steer; "": by the ports
    long: bool = False  # every combination where a suite has chosen some
    seed: int = 0  # of what a suite leaves to chance; 0: another one each time

    def load(self, path: Path) -> None:
        """Takes the keys of a file; one that is not known is a mistake."""
        known = {field.name: field.type for field in fields(self)}
        for key, value in (yaml.safe_load(path.read_text()) or {}).items():
            if key not in known:
                raise ValueError(f"{path}: unknown key {key} (one of {', '.join(known)})")
            setattr(self, key, tuple(value) if isinstance(value, list) else value)


settings = Settings()
