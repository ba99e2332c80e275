package main

import (
	"fmt"
	"os"

	"github.com/coredns/caddy"
	_ "github.com/coredns/coredns/core/dnsserver"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
)

// coreDNS answers the names of services: the one argument is its Corefile. It has the few plugins that a test's cluster needs.
func coreDNS() int {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "coredns COREFILE")
		return 2
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	caddy.TrapSignals()
	server, err := caddy.Start(caddy.CaddyfileInput{Contents: text, Filepath: os.Args[1], ServerTypeName: "dns"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	server.Wait()
	return 0
}
