"""The base of every stored document."""

from beanie import Document


class StoredDocument(Document):
    """A Beanie document whose id is one of our prefixed, time-ordered texts."""

    id: str  # type: ignore[assignment] # Beanie types the field for ObjectId; any type works
