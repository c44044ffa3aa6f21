"""How long a word takes from the model that says it to the client of a conversation."""

from tests.bench import client, floors, load
from tests.bench.client import Connection
from tests.bench.figures import Row, at_most, percentile
from tests.bench.setting import Bench
from tests.factories import PASSWORD, make_agent

TURNS, WARM_TURNS, WORDS = 25, 3, 4
PACE_MS = 40
MIN_INTERVAL_FLOOR_S = 0.005


def measure(bench: Bench) -> list[Row]:
    """The first word of an answer, and all of them."""
    with bench.stack.model_server() as gateway, bench.stack.worker(**gateway), bench.stack.web():
        agent = make_agent(bench.tenant)
        token = client.run(client.log_in(bench.stack.port, bench.user.email, PASSWORD))
        _trial(bench, token, agent.key, WARM_TURNS)
        trials = [_trial(bench, token, agent.key, TURNS) for _ in range(bench.trials)]
        told = [client.run(floors.messages_ms(40, MIN_INTERVAL_FLOOR_S)) for _ in range(bench.trials)]
    floor = [percentile(trial, 0.5) for trial in told]
    first, each = [trial[0] for trial in trials], [trial[1] for trial in trials]
    what, floor_what = "sent by the model until a conversation's client has it", "a Redis publish to its subscriber"
    return [
        Row("speech-first-p50", f"the first word {what}, p50", "ms", [percentile(t, 0.5) for t in first],
            (at_most(20),), floor_what, floor),
        Row("speech-first-p95", f"the first word {what}, p95", "ms", [percentile(t, 0.95) for t in first]),
        Row("speech-p50", f"any word {what}, p50", "ms", [percentile(t, 0.5) for t in each], (), floor_what, floor),
    ]  # fmt: skip


def _trial(bench: Bench, token: str, agent_id: str, turns: int) -> tuple[list[float], list[float]]:
    """(lateness of each turn's first word, of each word) in ms."""
    firsts: list[float] = []
    words: list[float] = []
    for _ in range(turns):
        late = client.run(_turn(bench.stack.port, token, agent_id))
        if len(late) != WORDS:
            raise load.Lost(f"The stream told {len(late)} words, not {WORDS}.")
        firsts.append(late[0])
        words += late
    return firsts, words


async def _turn(port: int, token: str, agent_id: str) -> list[float]:
    connection = await Connection.open(port, token)
    body = {"message": f"Say it. <<clock: {WORDS}>> <<pace: {PACE_MS}>>"}
    late = []
    async for arrived, told in connection.events(f"/api/v1/agents/{agent_id}/conversation", body):
        if told["type"] == "text":
            late += [(arrived - float(word)) * 1000 for word in told["content"].split()]
    connection.close()
    return late
