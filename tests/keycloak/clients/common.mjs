// What both libraries leave to the application: reading the challenge, and a person's token.

/** Asks the host, which refuses: the AM and the ticket that it names. */
export async function ask (url) {
  const refused = await fetch(url)
  const challenge = refused.headers.get('www-authenticate') ?? ''
  const found = /^UMA realm="[^"]*",as_uri="([^"]*)",ticket="([^"]*)"/.exec(challenge)
  if (refused.status !== 401 || !found) throw new Error(`no challenge: ${refused.status} ${challenge}`)
  return { issuer: found[1], ticket: found[2] }
}

/** A person signs in; a browser would do it by the login page. */
export async function signIn (issuer, clientId, user) {
  const body = new URLSearchParams({ grant_type: 'password', client_id: clientId, username: user, password: user })
  const answer = await fetch(`${issuer}/protocol/openid-connect/token`, { method: 'POST', body })
  return (await answer.json()).access_token
}
