"""Watch an execution of a team: python examples/watch.py EXECUTION TOKEN [ws://127.0.0.1:8000]"""

import json
import sys

from websockets.sync.client import connect

execution, token, base = [*sys.argv[1:], "ws://127.0.0.1:8000"][:3]
with connect(
    f"{base}/ws/executions/{execution}/monitor?after=0", additional_headers={"Authorization": f"Bearer {token}"}
) as monitor:
    for message in monitor:
        frame = json.loads(message)
        print(frame.get("seq", "-"), frame["type"], json.dumps(frame["data"], ensure_ascii=False)[:160])
