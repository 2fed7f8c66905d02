"""What integration tests, fault tests, the demo and the benchmarks share: private servers on free
loopback ports, culvertd as a process, write loads, and the comparison of every row."""
