module freebsd

go 1.21
