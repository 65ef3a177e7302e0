"""What the tests of consent can ask for: the connect pages of a service, and a browser that asks for them."""

from integration.consent.connect_service import asking  # noqa: F401 - a fixture
