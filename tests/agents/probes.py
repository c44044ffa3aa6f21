"""Runs inside the sandbox and tries to get out of it: {probe: what it got}, as JSON; nothing got is "".

    python probes.py '{"secret": "…", "files": ["/…"], "port": 9, "sockets": ["/…"]}'

Nothing here does harm where it succeeds: what could is only opened, never used.
"""

import contextlib
import ctypes
import glob
import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable

GIVEN = json.loads(sys.argv[1])
LIBC = ctypes.CDLL(None, use_errno=True)
PROBES: dict[str, Callable[[], object]] = {}
X86 = os.uname().machine == "x86_64"


def probe(function: Callable[[], object]) -> Callable[[], object]:
    """Register a probe; what it returns, when it is true, has got out."""
    PROBES[function.__name__] = function
    return function


def each(name: str, items: list[str], attempt: Callable[[str], object]) -> None:
    """A probe for each of these."""
    for item in items:
        PROBES[f"{name} {item}"] = lambda item=item: attempt(item)


def opened(path: str, flags: int) -> bool:
    os.close(os.open(path, flags | os.O_NONBLOCK))
    return True


def made(path: str) -> bool:
    os.close(os.open(f"{path}/planted-by-a-probe", os.O_WRONLY | os.O_CREAT, 0o644))
    return True


def called(*argv: str) -> bool:
    return subprocess.run(argv, capture_output=True, timeout=10, check=False).returncode == 0


def succeeded(number: int, *arguments: object) -> bool:
    """A system call that must not be granted."""
    return X86 and LIBC.syscall(number, *arguments) >= 0


def looked_into(path: str) -> object:
    """What a file or folder of the host's shows."""
    return os.listdir(path) if os.path.isdir(path) else opened(path, os.O_RDONLY)


READ = "/etc/shadow /etc/passwd /etc/hosts /root/.bashrc /root/.ssh /home /var/log /var/run /run /srv /opt"
SEE = "/sys/class /sys/fs/cgroup /boot /mnt /media /var/lib"
WRITE = "/ /usr /usr/bin /bin /lib /etc /dev /dev/shm /proc /proc/sys /etc/alternatives"
KERNEL = "sysrq-trigger sys/kernel/core_pattern sys/kernel/hostname sys/vm/drop_caches sys/kernel/modprobe"
DEVICES = "mem kmem kmsg sda fuse net/tun"
SOCKETS = "/var/run/docker.sock /run/docker.sock /run/containerd/containerd.sock"
RUN = (
    *("mount -t tmpfs none /mnt", "umount /proc", "chroot / /bin/true", "nsenter -t 1 -n true", "sudo -n true"),
    *("hostname probe", "unshare -m true", "unshare -n true", "date -s 2001-01-01", "swapoff -a", "dmesg"),
)
each("read", GIVEN["files"], looked_into)
each("read", READ.split(), looked_into)
each("see", SEE.split(), os.path.exists)
each("write", WRITE.split(), made)
each("open", [f"/proc/{name}" for name in KERNEL.split()], lambda path: opened(path, os.O_WRONLY))
each("open", [f"/dev/{name}" for name in DEVICES.split()], lambda path: opened(path, os.O_WRONLY))
each("connect", [*GIVEN["sockets"], *SOCKETS.split()], lambda path: socket.socket(socket.AF_UNIX).connect(path) is None)
each("run", list(RUN), lambda line: called("/bin/sh", "-c", line))


@probe
def network_tcp() -> object:
    return socket.create_connection(("127.0.0.1", GIVEN["port"]), 1)


@probe
def network_out() -> object:
    return socket.create_connection(("192.0.2.1", 80), 1)


@probe
def network_names() -> object:
    return socket.getaddrinfo("example.com", 80)


@probe
def network_interfaces() -> object:
    return [name for _, name in socket.if_nameindex() if name != "lo"]


@probe
def network_raw() -> object:
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


@probe
def network_packet() -> object:
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW)


@probe
def abstract_sockets() -> object:
    with open("/proc/net/unix") as table:
        return [line for line in table if "@" in line]


@probe
def secrets_in_environments() -> object:
    found = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        with contextlib.suppress(OSError), open(path, "rb") as environment:
            if GIVEN["secret"].encode() in environment.read():
                found.append(path)
    return found or GIVEN["secret"] in str(os.environ)


@probe
def command_lines_of_others() -> object:
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with contextlib.suppress(OSError), open(path, "rb") as line:
            text = line.read().decode(errors="replace")
            if "probes.py" not in text and ("pytest" in text or "postgres" in text or "redis-server" in text):
                found.append(text)
    return found


@probe
def roots_of_others() -> object:
    return glob.glob("/proc/[0-9]*/root/root/*")


@probe
def files_of_others() -> object:
    found = []
    for path in glob.glob("/proc/[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if any(path in os.readlink(path) for path in GIVEN["files"]):
                found.append(path)
    return found


@probe
def many_processes() -> object:
    return len(glob.glob("/proc/[0-9]*")) > 10 and glob.glob("/proc/[0-9]*")


@probe
def device_node() -> object:
    os.mknod("/workspace/sda", 0o600 | 0o060000, os.makedev(8, 0))
    return True


@probe
def become_root() -> object:
    os.setuid(0)
    return os.getuid() == 0 and os.path.exists("/etc/shadow")


@probe
def become_another() -> object:
    os.setresuid(1000, 1000, 1000)
    return os.getuid() == 1000


@probe
def user_namespace_of_the_machine() -> object:
    return os.readlink("/proc/self/ns/user") == GIVEN["user_namespace"]


@probe
def capabilities() -> object:
    with open("/proc/self/status") as status:
        lines = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    return [name for name in ("CapEff", "CapPrm", "CapBnd") if name != "CapBnd" and int(lines[name], 16)]


@probe
def new_privileges() -> object:
    with open("/proc/self/status") as status:
        return "NoNewPrivs:\t1" not in status.read()


@probe
def set_user_id_file() -> object:
    copy = "/workspace/id"
    subprocess.run(["/bin/cp", "/usr/bin/id", copy], check=True)
    os.chown(copy, 0, 0)
    os.chmod(copy, 0o4755)
    return subprocess.run([copy, "-u"], capture_output=True, check=True).stdout.strip() == b"0"


@probe
def hard_link_of_a_system_file() -> object:
    os.link("/usr/bin/id", "/workspace/linked")
    return True


@probe
def trace_the_first_process() -> object:
    return succeeded(101, 16, 1, 0, 0)  # PTRACE_ATTACH


@probe
def memory_of_the_first_process() -> object:
    return opened("/proc/1/mem", os.O_RDWR)


@probe
def kernel_module() -> object:
    return succeeded(175, b"", 0, b"")


@probe
def programs_in_the_kernel() -> object:
    return succeeded(321, 0, (ctypes.c_char * 128)(), 128)  # bpf


@probe
def system_clock() -> object:
    return succeeded(227, 0, (ctypes.c_long * 2)(0, 0))  # clock_settime


@probe
def host_name() -> object:
    return succeeded(170, b"probe", 5)


@probe
def another_root() -> object:
    return succeeded(155, b"/workspace", b"/workspace")  # pivot_root


@probe
def typing_into_the_terminal() -> object:
    return opened("/dev/tty", os.O_RDWR)


@probe
def memory_without_a_name() -> object:
    return os.memfd_create("probe")


@probe
def shared_memory() -> object:
    return succeeded(29, 0, 1 << 20, 0o1600)  # shmget


@probe
def rings_of_the_kernel() -> object:
    return succeeded(425, 1, (ctypes.c_char * 120)())  # io_uring_setup


@probe
def more_processes_than_allowed() -> object:
    resource.setrlimit(resource.RLIMIT_NPROC, (10_000, 10_000))
    return True


@probe
def more_memory_than_allowed() -> object:
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return True


@probe
def larger_files_than_allowed() -> object:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return True


@probe
def signals_to_others() -> object:
    return [pid for pid in (os.getppid(), 2, 100, 1000, 10_000) if pid > 20 and os.kill(pid, 0) is None]


def main() -> None:
    """Try all of them, each in a process of its own."""
    results = {}
    for name, attempt in PROBES.items():
        read, write = os.pipe()
        if (pid := os.fork()) == 0:
            try:
                got = attempt()
            except BaseException:  # whatever it is: it did not work
                got = ""
            os.write(write, str(got or "")[:200].encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            results[name] = pipe.read().decode()
        os.waitpid(pid, 0)
    print(json.dumps(results))


main()
