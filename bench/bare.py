"""The framework's limit: the same request model and status, nothing stored."""

from fastapi import FastAPI

from gateway.payments.schemas import ChargeRequest

app = FastAPI()


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/charge", status_code=201)
async def charge(body: ChargeRequest) -> dict[str, str | int]:
    return {
        "id": "txn_019e6b0c9a2f0000c2a90d5e4f11",
        "customerName": body.customer_name,
        "amount": body.payment_amount,
        "currency": body.currency,
        "status": "pending",
    }
