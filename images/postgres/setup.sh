# Runs inside the root file system after the packages are in.

localedef --inputfile=en_US --force --charmap=UTF-8 --alias-file=/usr/share/locale/locale.alias en_US.UTF-8

# A server in a container is for others: new clusters listen on every address.
sed --in-place "s/^#\?listen_addresses *=.*/listen_addresses = '*'/" /usr/share/postgresql/15/postgresql.conf.sample
grep --quiet "^listen_addresses = '\*'" /usr/share/postgresql/15/postgresql.conf.sample

# Any user may run the image, also one it does not know.
install --directory --owner=postgres --group=postgres --mode=3777 /run/postgresql
install --directory --owner=postgres --group=postgres --mode=1777 /var/lib/postgresql/data
install --directory --owner=postgres --group=postgres --mode=1777 /var/lib/postgresql
# Debian's own certificate of the machine has no use in an image.
rm -f /etc/ssl/private/ssl-cert-snakeoil.key /etc/ssl/certs/ssl-cert-snakeoil.pem
