"""One process of the lab, known by its id and the moment of its start, so that a process that got the same id later is
never taken for it."""

import contextlib
import os
import select
import signal
import subprocess

GRACE = 20


class Process:
    def __init__(self, folder, name):
        folder.mkdir(parents=True, exist_ok=True)
        self.name, self.log, self.note = name, folder / f"{name}.log", folder / f"{name}.pid"

    def start(self, *command, env=None, cwd="/", user=None):
        """Starts it in a session of its own; what it says goes to its log."""
        with open(self.log, "ab") as log:
            child = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=cwd, user=user,
                group=user, extra_groups=[] if user else None, start_new_session=True,
                env={**os.environ, **{key: str(value) for key, value in (env or {}).items()}})
        self.note.write_text(f"{child.pid} {started(child.pid)}\n")
        return self

    def pid(self):
        """Its id while it lives."""
        if not self.note.exists():
            return None
        pid, moment = self.note.read_text().split()
        return int(pid) if moment == started(int(pid)) else None

    def alive(self):
        return self.pid() is not None

    def signal(self, number):
        if pid := self.pid():
            os.kill(pid, number)

    def stop(self, grace=GRACE):
        """Asks it to end and waits; after `grace` seconds it is killed with all that it started."""
        if pid := self.pid():
            with contextlib.suppress(ProcessLookupError), closing(os.pidfd_open(pid)) as handle:
                os.kill(pid, signal.SIGTERM)
                if not ended(handle, grace):
                    os.killpg(pid, signal.SIGKILL)
                    ended(handle, grace)
        self.note.unlink(missing_ok=True)

    def last_words(self, lines=15):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def started(pid):
    """When the process started, in clock ticks since the machine did; None when it is no more."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


@contextlib.contextmanager
def closing(handle):
    try:
        yield handle
    finally:
        os.close(handle)


def ended(handle, seconds):
    waiter = select.poll()
    waiter.register(handle, select.POLLIN)
    return bool(waiter.poll(seconds * 1000))
