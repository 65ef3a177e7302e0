"""Commands about people and their permission: connect, invite, disconnect, erasures and consents."""
