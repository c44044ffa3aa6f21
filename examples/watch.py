"""Watch an execution of a team: python examples/watch.py EXECUTION TOKEN [http://127.0.0.1:8000]

Without an address it is that of the product which runs on DATA_DIR (.data).
"""

import json
import os
import sys
from pathlib import Path

from websockets.sync.client import connect

execution, token, *more = sys.argv[1:]
url = more[0] if more else (Path(os.environ.get("DATA_DIR", ".data")) / "run" / "url").read_text().strip()
with connect(
    f"ws{url.removeprefix('http')}/ws/executions/{execution}/monitor?after=0",
    additional_headers={"Authorization": f"Bearer {token}"},
) as monitor:
    for message in monitor:
        frame = json.loads(message)
        print(frame.get("seq", "-"), frame["type"], json.dumps(frame["data"], ensure_ascii=False)[:160], flush=True)
