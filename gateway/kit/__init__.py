"""Tools without a domain: ids, money, clock, pagination, secret box, schema base."""
