# shellcheck shell=bash
# A web server for a folder, on loopback, to be sourced:
#
#   start_nginx ROOT WORK [ACCESS_LOG]     sets NGINX_URL and NGINX_PID; ACCESS_LOG has a line per request: end in unix
#                                          seconds, seconds it took, URI
#   stop_nginx
#
# Runs in the foreground of a background job, as whoever calls it, on a free port; all its files are in WORK.

start_nginx() {
    local root=$1 work=$2 log=${3:-} port user='' _
    PATH=$PATH:/usr/sbin:/sbin command -v nginx >/dev/null || { echo "no nginx: run 'bash tests/rig/setup.sh demo'" >&2; return 3; }
    mkdir -p "$work/nginx"
    # Workers of a root master would run as nobody, who may not read a private folder.
    [ "$(id -u)" != 0 ] || user='user root;'
    for _ in 1 2 3 4 5 6 7 8; do
        port=$((18000 + RANDOM % 2000))
        cat >"$work/nginx/nginx.conf" <<CONF
$user
daemon off;
worker_processes 1;
pid $work/nginx/pid;
error_log $work/nginx/error.log;
events { worker_connections 1024; }
http {
    log_format first '\$msec \$request_time \$request_uri';
    access_log ${log:-off} ${log:+first};
    types { video/mp4 mp4; text/html html; }
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000;
    client_body_temp_path $work/nginx/body;
    proxy_temp_path $work/nginx/proxy;
    fastcgi_temp_path $work/nginx/fastcgi;
    uwsgi_temp_path $work/nginx/uwsgi;
    scgi_temp_path $work/nginx/scgi;
    server {
        listen 127.0.0.1:$port;
        root "$root";
    }
}
CONF
        # setsid: a Ctrl-C at the terminal is for the caller, who still needs the server to drain.
        PATH=$PATH:/usr/sbin:/sbin setsid nginx -p "$work/nginx" -c "$work/nginx/nginx.conf" >"$work/nginx/out" 2>&1 &
        NGINX_PID=$!
        # shellcheck disable=SC2034 # for the caller
        NGINX_URL=http://127.0.0.1:$port
        local left=50
        while kill -0 "$NGINX_PID" 2>/dev/null; do
            # shellcheck disable=SC2188 # opening the connection is the test
            if [ -s "$work/nginx/pid" ] && (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return 0; fi
            left=$((left - 1))
            [ "$left" -gt 0 ] || break
            sleep 0.1
        done
        kill "$NGINX_PID" 2>/dev/null || true
    done
    echo "nginx does not start:" >&2
    cat "$work/nginx/out" "$work/nginx/error.log" >&2 || true
    return 1
}

stop_nginx() {
    [ -n "${NGINX_PID:-}" ] || return 0
    kill "$NGINX_PID" 2>/dev/null || true
    wait "$NGINX_PID" 2>/dev/null || true
    NGINX_PID=
}
