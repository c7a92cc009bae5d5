"""What most mocks would do: one ``insert_one`` a request, with the durability of ours."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pymongo import AsyncMongoClient

from gateway.config import Settings
from gateway.kit import clock
from gateway.payments.schemas import ChargeRequest
from gateway.store.mongod import EmbeddedMongod


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    mongod = EmbeddedMongod(Settings(gateway_data_dir=Path(os.environ["GATEWAY_DATA_DIR"])))
    url = await mongod.start()
    async with AsyncMongoClient[dict[str, Any]](url, w="majority", journal=True) as client:
        app.state.charges = client["naive"]["charges"]
        yield
    mongod.release()


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/charge", status_code=201)
async def charge(body: ChargeRequest) -> dict[str, Any]:
    row = {
        "customer_name": body.customer_name,
        "amount": body.payment_amount,
        "currency": body.currency,
        "status": "pending",
        "created_at": clock.now(),
    }
    result = await app.state.charges.insert_one(row)
    return {
        "id": str(result.inserted_id),
        "customerName": body.customer_name,
        "amount": body.payment_amount,
        "currency": body.currency,
        "status": "pending",
    }
