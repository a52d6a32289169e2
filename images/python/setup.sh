# Runs inside the root file system after the packages are in.

# Debian guards its own Python against pip; an image is no Debian machine that pip could break.
rm -f /usr/lib/python3.*/EXTERNALLY-MANAGED
find /usr -depth -type d -name __pycache__ -exec rm -rf {} +
