#!/usr/bin/env python3
"""What the symbol tables say about BoringSSL. Measures nothing.

symbols.py assembly LIBCRYPTO        LIBCRYPTO has its assembly: without it everything works, four times slower.
symbols.py hides LIBCRYPTO FILE…     No FILE, or program in the directory FILE, exports a symbol of LIBCRYPTO: a host may
                                     have an OpenSSL of its own, with functions of the same names.
symbols.py exports FILE PATTERN…     FILE exports nothing but what one of the regular expressions matches wholly, in
                                     demangled form, and something.

Exits with 1 and says why if that is not so.
"""

import pathlib
import re
import subprocess
import sys

# What only assembly defines with external linkage, by its name in every version from 2022 on: the suffixes differ.
ASSEMBLY = (
    r"ecp_nistz256_mul_mont\w*", r"ecp_nistz256_point_double\w*", r"ecp_nistz256_ord_mul_mont\w*",
    r"bn_mul_mont\w*", r"sha256_block_(?:data_order|armv8)\w*", r"sha512_block_(?:data_order|armv8)\w*",
)


def symbols(*arguments):
    """Returns {(type, name)} of the global symbols that nm prints for `arguments`."""
    nm = subprocess.run(["nm", "--format=posix", *arguments], check=False, capture_output=True, text=True)
    if nm.returncode != 0:
        sys.exit(nm.stderr.strip())
    lines = (line.rsplit(" ", 3) for line in nm.stdout.splitlines() if not line.endswith(":"))
    return {(fields[1], fields[0]) for fields in lines if len(fields) == 4 and fields[1] not in "Uwv"}


def defined(library):
    return symbols("--extern-only", "--defined-only", library)


def exported(file):
    """Names that others can see: of an archive all that is global, else what the dynamic linker sees.

    Not those that are one in the whole process by their kind (STB_GNU_UNIQUE: static members of headers' templates).
    """
    table = defined(file) if file.endswith(".a") else symbols("--dynamic", "--defined-only", file)
    return {name.split("@")[0] for kind, name in table if kind != "u"}


def check_assembly(libcrypto):
    functions = {name for kind, name in defined(libcrypto) if kind == "T"}
    return [f"{libcrypto}: no assembly: no function {pattern}" for pattern in ASSEMBLY
            if not any(re.fullmatch(r"(?:\w*_)?" + pattern, name) for name in functions)]


def programs(directory):
    return [str(path) for path in sorted(pathlib.Path(directory).iterdir())
            if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"]


def check_hides(libcrypto, *arguments):
    files = [file for argument in arguments
             for file in (programs(argument) if pathlib.Path(argument).is_dir() else [argument])]
    names = {name for kind, name in defined(libcrypto) if kind in "TDRBVWi"}
    if "SHA256_Update" not in names:
        return [f"{libcrypto}: defines no SHA256_Update: not a libcrypto"]
    return [f"{file}: exports {', '.join(sorted(leaked)[:5])}"
            for file in files if (leaked := exported(file) & names)]


def check_exports(file, *patterns):
    output = subprocess.run(["c++filt"], input="\n".join(sorted(exported(file))), check=True, capture_output=True,
                            text=True).stdout.splitlines()
    wanted = re.compile("|".join(patterns))
    others = [name for name in output if not wanted.fullmatch(name)]
    if not output:
        return [f"{file}: exports nothing"]
    return [f"{file}: exports {name}" for name in others[:20]]


def main():
    check = {"assembly": check_assembly, "hides": check_hides, "exports": check_exports}[sys.argv[1]]
    problems = check(*sys.argv[2:])
    print("\n".join(problems) if problems else "as it should be")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
