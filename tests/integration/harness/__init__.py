"""What the integration tests stand on: a broker, the simulated API, the service, requests and their checker."""
