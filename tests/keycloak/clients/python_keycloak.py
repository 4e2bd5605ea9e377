"""python-keycloak, unmodified. Usage and exit codes: as keycloak-js.mjs."""
import re
import sys
import urllib.error
import urllib.request

from keycloak import KeycloakOpenID
from keycloak.exceptions import KeycloakError


def get(url, rpt=None):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {rpt}"} if rpt else {})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers, refused.read().decode()


url, client_id, user = sys.argv[1:]
status, headers, _ = get(url)
challenge = re.match(r'UMA realm="[^"]*",as_uri="([^"]*)/realms/([^"]*)",ticket="([^"]*)"', headers["WWW-Authenticate"])
server, realm, ticket = challenge.groups()
openid = KeycloakOpenID(server_url=server, realm_name=realm, client_id=client_id)
bob = openid.token(user, user)
openid.connection.add_param_headers("Authorization", "Bearer " + bob["access_token"])
try:
    # Without a scope: Keycloak would take it for one of the resource.
    granted = openid.token(grant_type="urn:ietf:params:oauth:grant-type:uma-ticket", scope=None, ticket=ticket)
except KeycloakError as error:
    sys.exit(3 if b"access_denied" in (error.response_body or b"") else str(error))
status, _, body = get(url, granted["access_token"])
print(body)
sys.exit(0 if status == 200 else 1)
