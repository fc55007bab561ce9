# OpenVPN server, written by templates/openvpn. Keys and certificates come from openvpn-first-boot.
port ${port}
proto udp
dev tun
topology subnet
server ${network} ${netmask}
keepalive 10 60
explicit-exit-notify 1

ca pki/ca.crt
cert pki/issued/server.crt
key pki/private/server.key
crl-verify pki/crl.pem
# Elliptic curves: no Diffie-Hellman parameters.
dh none
# Hides the handshake from scanners and keeps the unauthenticated from reaching TLS at all.
tls-crypt tls-crypt.key
remote-cert-tls client
tls-version-min 1.2

user nobody
group nogroup
persist-key
persist-tun
verb 3
