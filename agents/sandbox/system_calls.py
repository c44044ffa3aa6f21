"""The filter of system calls of sandboxed commands: a BPF program for seccomp(2).

It refuses calls that make memory which no process and no folder shows (memfd_create, System V shared memory), and parts
of the kernel that no command needs.
"""

import os
import struct
from functools import cache

ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | 1  # SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO with EPERM
LOAD, JUMP_EQUAL, MIN_JUMP, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER_AT, ARCHITECTURE_AT = 0, 4  # in struct seccomp_data
X32 = 0x40000000  # the bit of x86-64's second set of the same calls
# memfd_create memfd_secret shmget shmat msgget semget bpf userfaultfd perf_event_open io_uring_setup keyctl add_key
# request_key ptrace process_vm_readv process_vm_writev kexec_load init_module finit_module open_by_handle_at
NUMBERS = {
    "x86_64": (319, 447, 29, 30, 68, 64, 321, 323, 298, 425, 250, 248, 249, 101, 310, 311, 246, 175, 313, 304),
    "aarch64": (279, 447, 194, 196, 186, 190, 280, 282, 241, 425, 219, 217, 218, 117, 270, 271, 104, 105, 273, 265),
}
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def _instruction(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    """One struct sock_filter."""
    return struct.pack("HBBI", code, yes, no, value)


@cache
def program() -> bytes:
    """The filter for this machine; empty for an architecture whose call numbers are not listed here."""
    machine = os.uname().machine
    if machine not in NUMBERS:
        return b""
    numbers = NUMBERS[machine]
    instructions = [
        _instruction(LOAD, ARCHITECTURE_AT),
        _instruction(JUMP_EQUAL, ARCHITECTURES[machine], yes=1),
        _instruction(RETURN, REFUSE),
        _instruction(LOAD, NUMBER_AT),
    ]
    checks = [(MIN_JUMP, X32)] if machine == "x86_64" else []
    checks += [(JUMP_EQUAL, number) for number in numbers]
    for at, (code, value) in enumerate(checks):
        instructions.append(_instruction(code, value, yes=len(checks) - at))
    return b"".join([*instructions, _instruction(RETURN, ALLOW), _instruction(RETURN, REFUSE)])


def filter_descriptor() -> int:
    """A descriptor to read the program from, which the caller closes; -1 where there is none."""
    if not program():
        return -1
    read, write = os.pipe()
    os.write(write, program())
    os.close(write)
    return read
