"""A mock payment service provider: stateful, durable, signed, deterministic."""

VERSION = "0.1.0"
SERVICE_NAME = "Mock Payment Gateway"
