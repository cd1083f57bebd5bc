The limit of descriptors is raised as far as the process may, and told at the start when it is low. When few are left, new sockets are refused with 4100 while HTTP and whoever is connected go on.
