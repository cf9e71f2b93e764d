"""A SLURM of two virtual nodes on this machine, for as long as a test needs it: without systemd, accounting or a network.

Needs root, and Debian's slurm-wlm and munge. `python tests/slurm.py` starts one by hand, until it is stopped.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

CONFIG = Path("/etc/slurm")
"""Where jobs and their steps look for the configuration: SLURM_CONF does not reach all of them."""
PROGRAMS = ("munged", "slurmctld", "slurmd", "sinfo", "scancel")
DEVICES = {"n1": ("/dev/zero", "/dev/full"), "n2": ("/dev/null", "/dev/random")}
NODES = tuple(DEVICES)


def missing() -> str:
    """Why there can be no SLURM here, or nothing."""
    absent = [name for name in PROGRAMS if find(name) is None]
    if absent:
        return f"{', '.join(absent)} not found: apt-get install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "needs root"


def find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


@contextmanager
def cluster(folder: Path) -> Iterator[None]:
    """Two nodes of two processors and (pretended) GPUs each, in the partition main; folder: an empty one, short of name.

    At the end jobs are cancelled, the daemons stopped, and the former configuration is put back.
    """
    with ExitStack() as stack:
        write_config(folder, stack)
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        files = {"key-file": "key", "seed-file": "seed", "socket": "socket", "pid-file": "pid", "log-file": "log"}
        # Forced, since a test's folder is not one that every user may enter.
        options = ["--foreground", "--force", *[f"--{option}={folder}/munge.{end}" for option, end in files.items()]]
        start("munged", *options, into=folder, stack=stack)
        wait_for((folder / "munge.socket").exists, folder)
        start("slurmctld", "-D", into=folder, stack=stack)
        for node in NODES:
            start("slurmd", "-D", "-N", node, into=folder, stack=stack)
        stack.callback(cancel_all)
        wait_for(lambda: ask("sinfo", "--noheader", "--Node", "--format=%T").split() == ["idle"] * len(NODES), folder)
        yield


def write_config(folder: Path, stack: ExitStack) -> None:
    """slurm.conf and gres.conf; what they replace is put back at the end."""
    host = socket.gethostname()
    ports = free_ports(1 + len(NODES))
    nodes = "\n".join(
        f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=64000 Gres=gpu:2 State=UNKNOWN"
        for node, port in zip(NODES, ports[1:], strict=True)
    )
    texts = {
        "slurm.conf": f"""\
ClusterName=virtual
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MpiDefault=none
ReturnToService=2
MinJobAge=3600
KillWait=10
SchedulerParameters=sched_interval=1
GresTypes=gpu
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
""",
        # Files that are there, in the place of GPUs.
        "gres.conf": "".join(f"NodeName={node} Name=gpu File={file}\n" for node, files in DEVICES.items() for file in files),
    }
    (folder / "state").mkdir(parents=True)
    for node in NODES:
        (folder / f"spool-{node}").mkdir()
    CONFIG.mkdir(exist_ok=True)
    for name, text in texts.items():
        path = CONFIG / name
        stack.callback(put_back, path, path.read_bytes() if path.exists() else None)
        path.write_text(text)


def put_back(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(content)


def start(program: str, *arguments: str, into: Path, stack: ExitStack) -> None:
    """A daemon that stays in the foreground, its output in a file, and its end at the end."""
    command = [str(find(program)), *arguments]
    output = stack.enter_context((into / f"{program}-{arguments[-1].strip('-')[:2]}.out").open("w"))
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    stack.callback(stop, process)


def stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def cancel_all() -> None:
    """No job and no step outlives the daemons."""
    ask("scancel", "--user=root")
    deadline = time.monotonic() + 30
    while ask("squeue", "--noheader", "--states=RUNNING,COMPLETING") and time.monotonic() < deadline:
        time.sleep(0.5)


def ask(program: str, *arguments: str) -> str:
    done = subprocess.run([str(find(program)), *arguments], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout


def wait_for(what: Callable[[], bool], folder: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            logs = "\n".join(f"{path.name}: {path.read_text()[-1000:]}" for path in sorted([*folder.glob("*.log"), *folder.glob("*.out")]))
            raise TimeoutError(f"SLURM did not start within {seconds:.0f} s\n{logs}")
        time.sleep(0.2)


def free_ports(n: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


if __name__ == "__main__":
    if missing():
        sys.exit(f"slurm: {missing()}")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit())
    with tempfile.TemporaryDirectory(prefix="slurm-") as name, cluster(Path(name)):
        print(ask("sinfo"), end="", flush=True)
        signal.pause()
