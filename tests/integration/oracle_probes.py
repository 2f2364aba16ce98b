#!/usr/bin/env python3
"""Checks the probe images against what emud did not write: the emulators and the disassemblers.

usage: EMUD_BUILD_DIR=... oracle_probes.py [DIRECTORY-WITH-EMULATORS...]

The images come from support/dump_probes of the build directory.

1. Every image runs under the real qemu-<architecture> that is found (in the directories, else in
   $PATH): its output is exactly the probe line and its exit status is 0.
2. An outside disassembler reads every instruction's bytes as the assembly beside it in the source.

An image that one of the two is missing for is named in the output. With CI=true one that is not
disassembled is a failure; else this exits with 77 (skipped) where there is no emulator or no
disassembler for any image at all.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

LINE = b"emud probe\n"
CODE_ADDRESS = 0x400080
TIME_LIMIT = 60  # seconds
SKIPPED = 77

# Machines of GNU objdump -m. binutils-multiarch knows most; or1k and xtensa have packages of their
# own (binutils-or1k-elf, binutils-xtensa-lx106).
GNU = {
    "aarch64": ["aarch64"],
    "aarch64_be": ["aarch64"],
    "alpha": ["alpha"],
    "arm": ["arm"],
    "armeb": ["arm"],
    "hppa": ["hppa1.0"],
    "i386": ["i386"],
    "m68k": ["m68k"],
    "mips": ["mips:3000"],
    "mips64": ["mips:isa64"],
    "mips64el": ["mips:isa64"],
    "mipsel": ["mips:3000"],
    "mipsn32": ["mips:isa64"],
    "mipsn32el": ["mips:isa64"],
    "or1k": ["or1k"],
    "ppc": ["powerpc:common"],
    "ppc64": ["powerpc:common64"],
    "ppc64le": ["powerpc:common64"],
    "riscv32": ["riscv:rv32", "-M", "no-aliases"],
    "riscv64": ["riscv:rv64", "-M", "no-aliases"],
    "s390x": ["s390:64-bit"],
    "sh4": ["sh4"],
    "sh4eb": ["sh4"],
    "sparc": ["sparc"],
    "sparc32plus": ["sparc"],
    "sparc64": ["sparc:v9"],
    "x86_64": ["i386:x86-64"],
    "xtensa": ["xtensa"],
}
GNU_TOOLS = ["objdump", "or1k-elf-objdump", "xtensa-lx106-elf-objdump"]

# No distribution's binutils has these: LLVM's or QEMU's own disassembler reads them.
LLVM = {"hexagon", "loongarch64"}
LLVM_TOOLS = [f"llvm-objdump-{n}" for n in range(22, 14, -1)] + ["llvm-objdump"]
QEMU = {"cris", "microblaze", "microblazeel", "nios2", "xtensaeb"}


def run(command):
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIME_LIMIT, check=False
    )


def emulator(name, directories):
    for directory in directories:
        for suffix in ("", "-static"):
            path = os.path.join(directory, f"qemu-{name}{suffix}")
            if os.access(path, os.X_OK):
                return path
    return shutil.which(f"qemu-{name}-static") or shutil.which(f"qemu-{name}")


def normalise(text):
    """One space between words; without the comments that disassemblers add."""
    text = re.sub(r"\s+(//|@|!|#)\s.*$", "", text)
    return re.sub(r"\s+", " ", text).strip()


def code_bytes(instructions):
    code = b""
    for order, units, _ in instructions:
        for unit in units.split(" "):
            word = bytes.fromhex(unit)
            code += word if order == "big" else word[::-1]
    return code


def gnu_disassembly(name, instructions, directory):
    path = os.path.join(directory, name + ".code")
    with open(path, "wb") as file:
        file.write(code_bytes(instructions))
    order = "-EB" if instructions[0][0] == "big" else "-EL"
    for tool in filter(shutil.which, GNU_TOOLS):
        command = [tool, "-D", "-z", "-b", "binary", "-m", *GNU[name], order, "-w", path]
        result = run(command)
        if result.returncode == 0 and b"UNKNOWN" not in result.stderr:
            break
    else:
        return None
    # "   4:\td2800020 \tmov\tx0, #0x1": address, bytes, text.
    lines = [line.split("\t", 2) for line in result.stdout.decode().splitlines()]
    return [fields[2] for fields in lines if len(fields) == 3 and fields[0].endswith(":")]


def llvm_disassembly(name, instructions, directory):
    end = CODE_ADDRESS + len(code_bytes(instructions))
    limits = [f"--start-address={CODE_ADDRESS:#x}", f"--stop-address={end:#x}"]
    for tool in filter(shutil.which, LLVM_TOOLS):
        result = run([tool, "-d", "--no-show-raw-insn", *limits, os.path.join(directory, name)])
        lines = re.findall(r"^ *[0-9a-f]+: (.*)$", result.stdout.decode(), re.MULTILINE)
        if lines:
            return lines
    return None


def qemu_disassembly(name, path, directory):
    log = os.path.join(directory, name + ".log")
    run([path, "-d", "in_asm", "-D", log, os.path.join(directory, name)])
    if not os.path.exists(log):
        return None
    with open(log, encoding="utf-8") as file:
        return re.findall(r"^0x[0-9a-f]+:\s+(.*)$", file.read(), re.MULTILINE) or None


def check_run(name, path, directory):
    result = run([path, os.path.join(directory, name)])
    if (result.stdout, result.returncode) == (LINE, 0):
        return []
    output = f"{result.stdout!r} {result.stderr!r}"
    return [f"{name}: {path} printed {output}, status {result.returncode}"]


def check_text(name, instructions, texts):
    expected = [normalise(text) for _, _, text in instructions]
    found = [normalise(text) for text in texts]
    if found == expected:
        return []
    return [f"{name}: the source says {expected}, the disassembler {found}"]


def read_programs(output):
    programs = {}
    for line in output.splitlines():
        name, order, units, text = line.split("\t")
        programs.setdefault(name, []).append((order, units, text))
    return programs


def main():
    dumper = os.path.join(os.environ["EMUD_BUILD_DIR"], "support", "dump_probes")
    failures, ran, read, missing = [], [], [], []
    with tempfile.TemporaryDirectory() as directory:
        dump = subprocess.run([dumper, directory], capture_output=True, text=True, check=True)
        for name, instructions in sorted(read_programs(dump.stdout).items()):
            path = emulator(name, sys.argv[1:])
            if path:
                failures += check_run(name, path, directory)
                ran.append(name)
            else:
                missing.append(f"emulator of {name}")
            if name in GNU:
                texts = gnu_disassembly(name, instructions, directory)
            elif name in LLVM:
                texts = llvm_disassembly(name, instructions, directory)
            elif name in QEMU:
                texts = path and qemu_disassembly(name, path, directory)
            else:
                failures.append(f"{name}: this test knows no disassembler for it")
                continue
            if texts:
                failures += check_text(name, instructions, texts)
                read.append(name)
            elif os.environ.get("CI") == "true":
                failures.append(f"{name}: nothing here disassembles it, and CI=true")
            else:
                missing.append(f"disassembler of {name}")
    print(f"{len(ran)} images run, {len(read)} disassembled")
    for item in missing:
        print(f"not installed: {item}")
    for failure in failures:
        print(f"FAILED {failure}")
    if failures:
        return 1
    return 0 if ran and read else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
