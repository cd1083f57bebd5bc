// wsrelay under PM2: pm2 start ecosystem.config.cjs && pm2 save && pm2 startup
//
//     python3 -m venv /opt/wsrelay && /opt/wsrelay/bin/pip install wsrelay
//
// The name ends in .config.cjs, or PM2 takes it for a program.

module.exports = {
  apps: [
    {
      name: 'wsrelay',
      script: '/opt/wsrelay/bin/twistd',
      args: '--nodaemon --pidfile= wsrelay --config /etc/wsrelay/wsrelay.toml',
      interpreter: 'none',
      exec_mode: 'fork',
      instances: 1,
      autorestart: true,
      // PM2 kills after 1.6 seconds unless told otherwise: more than a drain and its farewells take.
      kill_timeout: 30000,
      // Ten ends within a second of the start, and it is left alone.
      min_uptime: 1000,
      max_restarts: 10,
      merge_logs: true,
    },
  ],
}
