"""Steady load: clients that start runs as long as they are asked to, and note how each request was answered."""

import random
import threading
import time
import uuid
from dataclasses import dataclass

import httpx

from tests.durability.stand import Background, Member, Stand, five_tools

RETRY_S = 0.2
GIVE_UP_S = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """How one request was answered: status 0 = the connection was refused or broke."""

    at: float
    took: float
    status: int


class Load:
    """Clients that start runs of five calls, one after the other; what is not accepted is asked again by its key."""

    def __init__(
        self,
        stand: Stand,
        dice: random.Random,
        clients: int = 3,
        pause_s: tuple[float, float] = (0.15, 0.35),
        delay_ms: tuple[int, int] = (50, 600),
    ) -> None:
        self.stand, self.pause_s, self.delay_ms = stand, pause_s, delay_ms
        self.workflow = stand.workflow(*five_tools())
        self.started: list[str] = []
        self.answers: list[Answer] = []
        self.given_up = 0
        self.over = threading.Event()
        seeds = [dice.random() for _ in range(clients)]
        self.clients = [Background(lambda seed=seed: self._work(random.Random(seed))) for seed in seeds]

    def _work(self, dice: random.Random) -> None:
        member = self.stand.founder.twin()
        while not self.over.is_set():
            self._start_one(member, {"delay_ms": dice.randint(*self.delay_ms)})
            self.over.wait(dice.uniform(*self.pause_s))

    def _start_one(self, member: Member, given: dict[str, int]) -> None:
        key, end = uuid.uuid4().hex, time.monotonic() + GIVE_UP_S
        while time.monotonic() < end:
            answer, run = self._ask(member, key, given)
            self.answers.append(answer)
            if run:
                self.started.append(run)
                return
            time.sleep(RETRY_S)
        self.given_up += 1

    def _ask(self, member: Member, key: str, given: dict[str, int]) -> tuple[Answer, str]:
        began, at = time.monotonic(), time.time()
        status, run = 0, ""
        try:
            body = {"input": given, "mode": "auto"}
            answer = member.post(f"/workflows/{self.workflow}/runs", body, Idempotency_Key=key)
            status = answer.status_code
            run = answer.json()["id"] if status == 201 else ""
        except httpx.TransportError:
            pass
        return Answer(at, time.monotonic() - began, status), run

    def end(self) -> list[str]:
        """The ids of the accepted runs; nothing is started any more."""
        self.over.set()
        for client in self.clients:
            client.end(GIVE_UP_S + 30)
        return list(self.started)
