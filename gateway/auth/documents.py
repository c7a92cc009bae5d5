from datetime import datetime
from typing import ClassVar

from pymongo import ASCENDING, IndexModel

from gateway.store.document import StoredDocument


class UsedSignature(StoredDocument):
    """A timestamped signature that was accepted once; its ``id`` is the API key's id and the hex.

    MongoDB removes it after ``expires_at``, when its timestamp is too old to be accepted anyway.
    """

    expires_at: datetime

    class Settings:
        name = "used_signatures"
        indexes: ClassVar = [IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0)]
