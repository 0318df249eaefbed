module care360-lookup/bench/tls_stub

go 1.24
