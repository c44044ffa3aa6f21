"""The system calls that sandboxed commands are refused, as the program that the kernel asks (seccomp(2), BPF).

Refused is what makes memory that no process and no folder shows (memfd_create, System V shared memory), and doors into
the kernel that no command needs.
"""

import os
import struct
from functools import cache

ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | 1  # SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO with EPERM
LOAD, JUMP_EQUAL, MIN_JUMP, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER_AT, ARCHITECTURE_AT = 0, 4  # in struct seccomp_data
X32 = 0x40000000  # x86-64's other way to say the same numbers
# memfd_create memfd_secret shmget shmat msgget semget bpf userfaultfd perf_event_open io_uring_setup keyctl add_key
# request_key ptrace process_vm_readv process_vm_writev kexec_load init_module finit_module open_by_handle_at
NUMBERS = {
    "x86_64": (319, 447, 29, 30, 68, 64, 321, 323, 298, 425, 250, 248, 249, 101, 310, 311, 246, 175, 313, 304),
    "aarch64": (279, 447, 194, 196, 186, 190, 280, 282, 241, 425, 219, 217, 218, 117, 270, 271, 104, 105, 273, 265),
}
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    """One struct sock_filter."""
    return struct.pack("HBBI", code, yes, no, value)


@cache
def program() -> bytes:
    """The filter for this machine; empty where its numbers are not known."""
    machine = os.uname().machine
    if machine not in NUMBERS:
        return b""
    numbers = NUMBERS[machine]
    steps = [_step(LOAD, ARCHITECTURE_AT), _step(JUMP_EQUAL, ARCHITECTURES[machine], yes=1), _step(RETURN, REFUSE)]
    steps.append(_step(LOAD, NUMBER_AT))
    checks = [(MIN_JUMP, X32)] if machine == "x86_64" else []
    checks += [(JUMP_EQUAL, number) for number in numbers]
    for at, (code, value) in enumerate(checks):
        steps.append(_step(code, value, yes=len(checks) - at))
    return b"".join([*steps, _step(RETURN, ALLOW), _step(RETURN, REFUSE)])


def opened() -> int:
    """A descriptor to read the program from; -1 where there is none."""
    if not program():
        return -1
    read, write = os.pipe()
    os.write(write, program())
    os.close(write)
    return read
