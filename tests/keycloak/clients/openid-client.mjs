// openid-client, a certified OAuth client that knows nothing of UMA: its generic grant request exchanges the ticket.
// Usage and exit codes: as keycloak-js.mjs.
import * as client from 'openid-client'
import { ask } from './common.mjs'

const [url, clientId, user] = process.argv.slice(2)
const { issuer, ticket } = await ask(url)
const insecure = { execute: [client.allowInsecureRequests] }
const config = await client.discovery(new URL(issuer), clientId, undefined, client.None(), insecure)
const bob = await client.genericGrantRequest(config, 'password', { username: user, password: user })

// The AM knows who asks by that person's token.
const asBob = (at, options) =>
  fetch(at, { ...options, headers: { ...options.headers, Authorization: `Bearer ${bob.access_token}` } })
try {
  const grant = 'urn:ietf:params:oauth:grant-type:uma-ticket'
  config[client.customFetch] = asBob
  const { access_token: rpt } = await client.genericGrantRequest(config, grant, { ticket })
  config[client.customFetch] = fetch
  const answer = await client.fetchProtectedResource(config, rpt, new URL(url), 'GET')
  console.log(await answer.text())
  process.exit(answer.ok ? 0 : 1)
} catch (error) {
  if (error.error === 'access_denied') process.exit(3)
  throw error
}
