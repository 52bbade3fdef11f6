// Package main is a real Vault for tests: its core, its HTTP API, KV version 2, AppRole and Kubernetes log-ins.
//
// The whole `vault` command would bring the libraries of every cloud and database; this is made of the same packages and
// serves what the tests speak to. Storage is in memory; it starts uninitialized, as any Vault does. The first argument is
// the address to listen on; a certificate and a key as second and third make it HTTPS.
package main

import (
	"log"
	"net/http"
	"os"

	"github.com/hashicorp/go-hclog"
	kubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

var engines = map[string]logical.Factory{"kv": kv.Factory}
var logins = map[string]logical.Factory{"approle": approle.Factory, "kubernetes": kubernetes.Factory}

// registry says which plugins are built in; the core asks it before it mounts one.
type registry struct{}

func (registry) factory(name string, kind consts.PluginType) (logical.Factory, bool) {
	table := engines
	if kind == consts.PluginTypeCredential {
		table = logins
	}
	found, ok := table[name]
	return found, ok
}

func (r registry) Contains(name string, kind consts.PluginType) bool {
	_, ok := r.factory(name, kind)
	return ok
}

func (r registry) Get(name string, kind consts.PluginType) (func() (interface{}, error), bool) {
	found, ok := r.factory(name, kind)
	return func() (interface{}, error) { return found, nil }, ok
}

func (registry) Keys(consts.PluginType) []string { return nil }

func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, kind)
}

func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }

func main() {
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Warn})
	storage, err := inmem.NewInmem(nil, logger)
	if err != nil {
		log.Fatal(err)
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical: storage, LogicalBackends: engines, CredentialBackends: logins, BuiltinRegistry: registry{},
		DisableMlock: true, Logger: logger,
	})
	if err != nil {
		log.Fatal(err)
	}
	address := os.Args[1]
	properties := &vault.HandlerProperties{Core: core, ListenerConfig: &configutil.Listener{Type: "tcp", Address: address}}
	server := &http.Server{Addr: address, Handler: vaulthttp.Handler.Handler(properties)}
	if len(os.Args) > 3 {
		log.Fatal(server.ListenAndServeTLS(os.Args[2], os.Args[3]))
	}
	log.Fatal(server.ListenAndServe())
}
