#!/bin/sh
# Setup: completes coturn's configuration with what is the node's, the cluster's and secret, and becomes coturn. The secret
# goes from file to file: not into an argument or a variable, which other processes could read.
set -eu
umask 077

config=${TURN_CONFIG:-/etc/coturn/turnserver.conf}
secrets=${TURN_SECRETS:-/run/secrets/turn}
certificate=${TURN_CERTIFICATE:-/run/secrets/turn-tls}
run=${TURN_RUN:-/run/coturn}

refuse() {
    echo "coturn does not start: $1" >&2
    exit 78 # EX_CONFIG of sysexits.h
}

[ -n "${VDI_DOMAIN:-}" ] || refuse "VDI_DOMAIN is not set: it is the realm"
[ -n "${TURN_ADDRESS:-}" ] || refuse "TURN_ADDRESS is not set: it is the address to listen on and to relay from"
[ -n "${TURN_ALLOWED_PEERS:-}" ] || refuse "TURN_ALLOWED_PEERS is not set: nothing could be relayed to any desktop"

out=$run/turnserver.conf
sed -e "s|/run/coturn/|$run/|" "$config" >"$out"
{
    echo "realm=$VDI_DOMAIN"
    echo "listening-ip=$TURN_ADDRESS"
    echo "relay-ip=$TURN_ADDRESS"
    echo "prometheus-address=$TURN_ADDRESS"
    [ -z "${TURN_EXTERNAL_ADDRESS:-}" ] || echo "external-ip=$TURN_EXTERNAL_ADDRESS/$TURN_ADDRESS"
    for range in $(echo "$TURN_ALLOWED_PEERS" | tr ',' ' '); do
        case $range in
        */*) refuse "TURN_ALLOWED_PEERS has $range: coturn wants first-last, such as 10.244.0.0-10.244.255.255" ;;
        esac
        echo "allowed-peer-ip=$range"
    done
} >>"$out"

# use-auth-secret: short-lived credentials, `expiry:session` and its HMAC-SHA1, which the operator makes.
# lt-cred-mech: one user and password that last, for those who give them to the launcher themselves.
case ${TURN_CREDENTIALS:-use-auth-secret} in
use-auth-secret)
    [ "$(tr -d '\r\n' <"$secrets/static-auth-secret" | wc -c)" -ge 32 ] ||
        refuse "static-auth-secret has fewer than 32 characters: make one with turn-secret.sh"
    printf 'use-auth-secret\nstatic-auth-secret=' >>"$out"
    tr -d '\r\n' <"$secrets/static-auth-secret" >>"$out"
    echo >>"$out"
    ;;
lt-cred-mech)
    grep -Eq '^[^:]+:.{16,}$' "$secrets/user" ||
        refuse "user is not of the form name:password with 16 characters of password or more"
    printf 'lt-cred-mech\nuser=' >>"$out"
    tr -d '\r\n' <"$secrets/user" >>"$out"
    echo >>"$out"
    ;;
*) refuse "TURN_CREDENTIALS is $TURN_CREDENTIALS: it can be use-auth-secret or lt-cred-mech" ;;
esac

# TLS on 5349, where there is a certificate: the only way out of networks that let nothing but TLS pass.
if [ -s "$certificate/tls.crt" ]; then
    printf 'tls-listening-port=5349\ncert=%s/tls.crt\npkey=%s/tls.key\nno-tlsv1\nno-tlsv1_1\n' \
        "$certificate" "$certificate" >>"$out"
else
    printf 'no-tls\nno-dtls\n' >>"$out"
fi

exec turnserver -c "$out"
