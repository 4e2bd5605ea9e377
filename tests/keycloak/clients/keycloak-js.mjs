// Keycloak's own client library for the browser, unmodified: keycloak-js/authz exchanges the ticket.
// Usage: node keycloak-js.mjs URL CLIENT_ID USER (whose password is the name). Exit codes: 0 got it, 3 denied, 1 anything else.
import KeycloakAuthorization from 'keycloak-js/authz'
import { ask, signIn } from './common.mjs'

// The library is written for browsers; this is the part of theirs that it uses.
globalThis.XMLHttpRequest = class {
  readyState = 0
  #headers = {}
  open (method, url) { this.#method = method; this.#url = url }
  setRequestHeader (name, value) { this.#headers[name] = value }
  async send (body) {
    const answer = await fetch(this.#url, { method: this.#method, headers: this.#headers, body })
    this.status = answer.status
    this.responseText = await answer.text()
    this.readyState = 4
    this.onreadystatechange()
  }

  #method
  #url
}

const [url, clientId, user] = process.argv.slice(2)
const { issuer, ticket } = await ask(url)
const [authServerUrl, realm] = issuer.split('/realms/')
const token = await signIn(issuer, clientId, user)
const authorization = new KeycloakAuthorization({ didInitialize: true, authServerUrl, realm, clientId, token })
authorization.authorize({ ticket }).then(
  async (rpt) => {
    const answer = await fetch(url, { headers: { Authorization: `Bearer ${rpt}` } })
    console.log(await answer.text())
    process.exit(answer.ok ? 0 : 1)
  },
  () => process.exit(3),
  () => process.exit(1)
)
