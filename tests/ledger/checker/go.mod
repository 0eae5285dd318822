module example.com/checker

go 1.21

require golang.org/x/mod v0.7.0
