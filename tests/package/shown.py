#!/usr/bin/env python3
"""shown.py DOCUMENT SOURCE_DIR: a code block under `<!-- file: PATH -->` has to be that file as it is."""

import re
import sys
from pathlib import Path

BLOCK = re.compile(r"<!-- file: (\S+) -->\n+```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)

document, source_dir = map(Path, sys.argv[1:])
shown = BLOCK.findall(document.read_text(encoding="utf-8"))
differing = [path for path, text in shown if (source_dir / path).read_text(encoding="utf-8") != text]
print(*(f"{document.name} does not show {path} as it is" for path in differing),
      f"{len(shown)} files shown, {len(differing)} differing", sep="\n")
sys.exit(1 if differing or not shown else 0)
