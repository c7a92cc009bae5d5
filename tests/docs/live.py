"""What the tests of both documents share: a gateway to run the examples against."""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.docs import session
from tests.docs.comparison import confusions, differences
from tests.docs.markdown import Example
from tests.docs.session import Outcome, substitute
from tests.support.live import LiveGateway

_GATEWAY = "127.0.0.1:8000"
_RECEIVER = "127.0.0.1:9000"
_SECONDS_TO_ANNOUNCE = 20


@dataclass(frozen=True, slots=True)
class Run:
    """A document's examples as they were run, and what the gateway printed meanwhile."""

    examples: list[Example]
    outcomes: list[Outcome]
    addresses: Mapping[str, str]
    printed: str

    def problems(self, number: int) -> list[str]:
        """What one example did not do as documented."""
        example, outcome = self.examples[number], self.outcomes[number]
        if not outcome.ran:
            return [f"did not run to its end: {outcome.errors or 'an earlier one failed'}"]
        found = []
        if example.status not in (None, outcome.status):
            found.append(f"status {example.status} is documented, {outcome.status} came")
        if example.answer is not None:
            shown = substitute(example.answer.text, self.addresses)
            found += differences(shown, outcome.output, example.answer.language)
        return found

    def confusions(self) -> list[str]:
        """Ids that the document shows as one and that were several."""
        pairs = zip(self.examples, self.outcomes, strict=True)
        return confusions((e.answer.text, o.output) for e, o in pairs if e.answer is not None)


@contextmanager
def running(examples: list[Example], folder: Path, receiver_port: int) -> Iterator[Run]:
    """Run ``examples`` against a fresh gateway, which stays up for the block.

    The admin's password is the one that its first start prints, as it is for a reader.
    """
    gateway = LiveGateway(folder / "data", ADMIN_EMAIL="admin@system.local", ADMIN_PASSWORD="")
    addresses = {
        _GATEWAY: f"127.0.0.1:{gateway.port}",
        _RECEIVER: f"127.0.0.1:{receiver_port}",
        "--port 9000": f"--port {receiver_port}",
    }
    with ExitStack() as stack:
        stack.callback(gateway.end)
        stack.enter_context(gateway)
        printed = _printed_at_start(gateway)
        password = re.search(r"password (\S+) \(shown this once\)", printed)
        assert password is not None, printed
        outcomes = session.run(examples, folder, addresses, ADMIN_PASSWORD=password[1])
        yield Run(examples, outcomes, addresses, printed)


def _printed_at_start(gateway: LiveGateway) -> str:
    """All up to the last line of the announcement, which follows on the first healthy answer."""
    assert gateway.process is not None
    assert gateway.process.stdout is not None
    lines = []
    watchdog = threading.Timer(_SECONDS_TO_ANNOUNCE, gateway.process.kill)
    watchdog.start()
    for line in gateway.process.stdout:
        lines.append(line)
        if re.fullmatch(r"  admin +\S+\n", line):
            break
    watchdog.cancel()
    return "".join(lines)
