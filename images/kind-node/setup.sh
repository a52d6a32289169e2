# Runs inside the root file system after the packages are in.

# A container has no hardware, consoles or disks of its own, and one boot in four nodes at a time should be quick.
find /lib/systemd/system/sysinit.target.wants -name systemd-tmpfiles-setup.service -delete
rm -f /lib/systemd/system/{multi-user,local-fs,basic}.target.wants/* /lib/systemd/system/sockets.target.wants/*{udev,initctl}*
rm -f /etc/systemd/system/*.wants/*
# binfmt_misc belongs to the whole kernel.
systemctl mask systemd-binfmt.service systemd-udevd.service systemd-logind.service
systemctl set-default multi-user.target
systemctl enable kubelet.service containerd.service show-controllers.service
ln -sf /lib/systemd/systemd /usr/sbin/init

# Where Kubernetes and network add-ons expect the plugins, as files: an add-on copies its own beside them.
mkdir -p /opt/cni/bin /etc/cni/net.d /etc/kubernetes/manifests /etc/containerd/certs.d /var/lib/kubelet
ln -t /opt/cni/bin /usr/lib/cni/{bandwidth,bridge,host-local,loopback,portmap,ptp}
rm -rf /usr/lib/cni
