"""Runs Authlib, an OAuth 2 client of Python, against a server: oauth-client.py ORIGIN NAME PASSWORD. Prints what it got as JSON."""

import json
import sys

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

origin, name, password = sys.argv[1:]
metadata = AuthorizationServerMetadata(requests.get(f"{origin}/.well-known/oauth-authorization-server").json())
metadata.validate_response_types_supported()
metadata.validate_grant_types_supported()
url = metadata["token_endpoint"]


def new_session():
    return OAuth2Session("app", token_endpoint=url, token_endpoint_auth_method="none")


def error_of(call):
    try:
        call()
    except AuthlibBaseError as error:
        return error.error
    return None


session = new_session()
first = dict(session.fetch_token(url, username=name, password=password))
second = dict(session.refresh_token(url))
me = session.get(f"{origin}/api/v1/users/me").json()
print(
    json.dumps(
        {
            "token_type": first["token_type"],
            "is_new": first["refresh_token"] != second["refresh_token"],
            "email": me["email"],
            "wrong_password": error_of(lambda: new_session().fetch_token(url, username=name, password="wrong")),
            "wrong_token": error_of(lambda: new_session().refresh_token(url, refresh_token="wrong")),
        }
    )
)
