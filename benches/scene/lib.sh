# shellcheck shell=bash disable=SC2034
# The pieces of the scene, sourced by ./demo, ./test and benches/lab/run. They install and build what is needed, and start,
# watch and stop Tomcats, replicas and httpd. Everything that they make is in the ignored folder work/.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
WORK=$ROOT/work
STAGE=$WORK/scene
LOGS=$WORK/logs
TOMCAT_LINES=(8.5 9 10.1 11)
TOMCAT_LINE=10.1
RUST_VERSION=1.88
RELEVO=$ROOT/target/release/relevo
RELEVO_CLUSTER=org.relevo.tomcat.RelevoCluster
STOCK_CLUSTER=org.apache.catalina.ha.tcp.SimpleTcpCluster

# --- telling -------------------------------------------------------------------------------------------------------

say() { printf '%s\n' "$*"; }
die() { progress_end; printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

milliseconds() { local t=${EPOCHREALTIME/[.,]/}; echo $((t / 1000)); }
# seconds FROM: prints the time since FROM (which is in milliseconds), as in "1.234 s".
seconds() { local t=$(($(milliseconds) - $1)); printf '%d.%03d s' $((t / 1000)) $((t % 1000)); }

# progress TEXT: shows what is going on now, until the next line overwrites it. Does so only on a terminal.
progress() { if [ -t 1 ]; then printf '\r\033[K  … %s' "$*"; fi; }
progress_end() { if [ -t 1 ]; then printf '\r\033[K'; fi; }

# logged NAME COMMAND…: runs the command with its output in a log. If it fails, shows the end of the log.
logged() {
  local log=$LOGS/$1.log; shift
  mkdir -p "$LOGS"
  "$@" > "$log" 2>&1 && return
  progress_end; tail -n 30 "$log" >&2; die "failed: $* (all of it in $log)"
}

# wait_for SECONDS WHAT COMMAND…: waits until the command succeeds. Scripts always wait for an event, never for a time.
wait_for() {
  local end=$(($(milliseconds) + $1 * 1000)) what=$2; shift 2
  until "$@"; do
    [ "$(milliseconds)" -lt "$end" ] || die "waited too long for $what; the logs are in $STAGE"
    sleep 0.02
  done
}

# --- installing and building ---------------------------------------------------------------------------------------

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

apt_install() {
  command -v apt-get > /dev/null || die "please install: $*"
  progress_end; say "Installing with apt: $*"
  logged apt-update as_root apt-get update
  logged apt-install as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends --no-remove "$@"
}

# need PACKAGES COMMAND…: installs the packages unless the command succeeds.
MISSING=()
need() { local packages=$1; shift; if ! "$@" > /dev/null 2>&1; then read -ra packages <<< "$packages"; MISSING+=("${packages[@]}"); fi; }
need_end() { if [ ${#MISSING[@]} != 0 ]; then apt_install "${MISSING[@]}"; MISSING=(); fi; }

# Any Rust from RUST_VERSION on is good: the one in use, rustup's stable, or a distribution's.
need_rust() {
  if [ -d "$HOME/.cargo/bin" ]; then PATH=$PATH:$HOME/.cargo/bin; fi
  if ! rust_is_new_enough && ! command -v rustup > /dev/null; then
    need rustup apt_lacks rustup
    [ ${#MISSING[@]} != 0 ] || need "cargo-web rustc-web" false
    need_end
  fi
  if ! rust_is_new_enough && command -v rustup > /dev/null; then
    logged rustup rustup toolchain install stable --profile minimal --component clippy --component rustfmt
    export RUSTUP_TOOLCHAIN=stable
  fi
  rust_is_new_enough || die "Rust $RUST_VERSION or newer is needed: see https://rustup.rs"
}
rust_is_new_enough() {
  command -v cargo > /dev/null && printf '%s\n' "$RUST_VERSION" "$(rustc --version 2> /dev/null | cut -d' ' -f2)" | sort -VC
}
# `apt-cache show` wouldn't do: it succeeds even for a name that other packages only mention.
apt_lacks() { ! LC_ALL=C apt-cache policy "$1" | grep -q 'Candidate: [^(]'; }

need_java() {
  need default-jdk-headless javac -version
  need maven mvn -v
  need_end
}

# The releases of the line in use with their SHA-512, the one to prefer first; a mirror of Maven Central may lack it.
tomcat_releases() {
  case $TOMCAT_LINE in
    8.5) cat <<TEXT
8.5.100 14d8dca911fe9c5b7e636e054ac2e70a532ddc358eda83ed3679e51df8baa7a397cabb8a5777b815014d46064cbc33e8d9ea75b9426dccdae54fb3913d9a54f0
8.5.78 b50213e64cc1fd3da2847deda1ca13bee4c26663093c11d53c5ecfe4cdec8856e743b4a1d8488e0c0cbe9bf149e755df40a4140f3b155e2195e3bc6335de3512
TEXT
      ;;
    9) cat <<TEXT
9.0.117 82b15278a7bfa2685c80e07963c43246df4fd742d574b608a68f5ce67c6ffde0eff3e224cc9809925cc6bf7002a190c3bf420f50c0e4052467d3e665efc84a54
9.0.104 b387fae59f1eda13a5c2336243514d9568057815689057ff920be696548ea6afbcfc0933934d3d6f8c4e2b5108322dc7509bfe934c49d05905c6ce87f1dff53c
TEXT
      ;;
    10.1) cat <<TEXT
10.1.60 aa06508300ca137a023b74b8600f2c1b3248412eb85d4fc5e2f337c6c4d3776f4491e272f79856ac541cfab0fc35537111ae4f3cfcd0bbe702c0a3610a61bd04
10.1.59 992a8e88fc9c0338445f018a1e4a2757c9e71708dba795e2864c9b1613f2b3b9b19c048e787682deae6d6bff9971defc746e31282085d52ef1d32192e09f7a0f
TEXT
      ;;
    11) cat <<TEXT
11.0.24 a2fb1bd511735bd3d135b87f628d2b1f71a43aed7c4d7511e770092e571bad6d5ad9e97a580852119770477fd86d7ed156d83d3cee2854bce260725ce48934d0
11.0.18 e428203454e57962296e6e95705e46a1406d15569f67ea0cbd417f38fcad85e81de6fa1be62cfa660ec746312aefb87c39127eef7348e6f78cb57e9afb862ed4
TEXT
      ;;
  esac
}

# need_tomcat: a real Tomcat of the line in use in CATALINA_HOME, of the version TOMCAT_VERSION: the distribution from Maven
# Central, or Debian's 10.1 where that can't be had (not its package tomcat10, which is a service).
need_tomcat() {
  local sha512
  mkdir -p "$LOGS"
  while read -r TOMCAT_VERSION sha512; do
    CATALINA_HOME=$WORK/apache-tomcat-$TOMCAT_VERSION
    if [ -x "$CATALINA_HOME/bin/catalina.sh" ] || fetch_tomcat "$sha512" < /dev/null; then return; fi
  done < <(tomcat_releases)
  [ "$TOMCAT_LINE" = 10.1 ] || die "no Tomcat $TOMCAT_LINE can be fetched from Maven Central; $LOGS/tomcat.log says why"
  TOMCAT_VERSION="$TOMCAT_LINE of Debian" CATALINA_HOME=/usr/share/tomcat10
  need tomcat10-common test -f $CATALINA_HOME/lib/catalina.jar
  need_end
}

fetch_tomcat() {
  local archive=$WORK/tomcat-$TOMCAT_VERSION.tar.gz
  progress "fetching Tomcat $TOMCAT_VERSION from Maven Central"
  mvn -B --strict-checksums org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -DoutputDirectory="$WORK" \
    -Dartifact="org.apache.tomcat:tomcat:$TOMCAT_VERSION:tar.gz" > "$LOGS/tomcat.log" 2>&1 || return
  echo "$1  $archive" | sha512sum --check --quiet > "$LOGS/tomcat.log" 2>&1 ||
    die "Tomcat $TOMCAT_VERSION as it was fetched has another SHA-512 than benches/scene/lib.sh says"
  tar -xzf "$archive" -C "$WORK" && rm "$archive"
}

# The Java EE packages of the line in use: what Relevo's jar and the application have to name.
is_javax() { [ "$TOMCAT_LINE" = 8.5 ] || [ "$TOMCAT_LINE" = 9 ]; }

# The jar for the line in use, of those that ffi/java/build made.
relevo_jar() {
  if is_javax; then
    echo "$ROOT"/ffi/java/tomcat-javax/target/relevo-tomcat-javax-[0-9]*.jar
  else
    echo "$ROOT"/ffi/java/tomcat/target/relevo-tomcat-[0-9]*.jar
  fi
}

build_relevo() {
  need "gcc libc6-dev" cc --version
  need_end
  need_rust
  progress "building relevo"
  logged build-relevo cargo build --release --manifest-path "$ROOT/Cargo.toml" -p relevo-node
  progress "building the jar"
  logged build-jar "$ROOT/ffi/java/build"
}

# need_thumb: installs what boards/bare needs to build for the processor of a Pico W: rustup's target, or Debian's Rust with its sources.
need_thumb() {
  need_rust
  if rustup target add thumbv6m-none-eabi > /dev/null 2>&1; then return; fi
  need "cargo-web rustc-web rust-web-src" test -f /usr/lib/rustlib/src/rust/library/Cargo.lock
  need lld ld.lld --version
  need_end
  PATH=/usr/bin:$PATH
}

# build_pico: builds the image of a Pico W, sets PICO to it, and installs the emulator that runs it.
build_pico() {
  need nodejs node --version
  need npm npm --version
  need_end
  need_thumb
  progress "building the image of the Pico W"
  logged build-pico "$ROOT/boards/build" pico-w
  progress "fetching the emulator's processor"
  logged npm npm ci --omit=dev --prefix "$ROOT/boards/emulator"
  PICO=$ROOT/boards/target/images/pico-w.uf2
}

# --- processes -----------------------------------------------------------------------------------------------------
# Each process runs in the folder $STAGE/NAME, in a session of its own (so that the terminal's keys and sizes don't reach it), with
# its output in the file out. PIDS has the running ones. They aren't jobs of this shell, which would report each one that is killed.

declare -A PIDS

# start NAME COMMAND…: starts a process.
start() {
  local name=$1; shift
  mkdir -p "$STAGE/$name"
  : > "$STAGE/$name/out"
  (cd "$STAGE/$name" && exec setsid "$@") > "$STAGE/$name/out" 2>&1 < /dev/null &
  PIDS[$name]=$!
  disown
}

# stop NAME [SIGNAL]: stops a process and waits until it has ended. After half a minute it is killed.
stop() {
  local pid=${PIDS[$1]:-} end=$(($(milliseconds) + 30000))
  [ -n "$pid" ] || return 0
  unset "PIDS[$1]"
  kill -s "${2:-TERM}" "$pid" 2> /dev/null || return 0
  while kill -0 "$pid" 2> /dev/null && [ "$(milliseconds)" -lt "$end" ]; do sleep 0.02; done
  kill -s KILL "$pid" 2> /dev/null || true
}
stop_all() { for name in "${!PIDS[@]}"; do stop "$name"; done; }

is_listening() { (: < "/dev/tcp/$1/$2") 2> /dev/null; }

# free_port FROM: prints the first port of 127.0.0.1 from FROM on that nobody listens on.
free_port() { local port=$1; while is_listening 127.0.0.1 "$port"; do port=$((port + 1)); done; echo "$port"; }

# --- Tomcats -------------------------------------------------------------------------------------------------------

# cluster CLASS ADDRESS PORT OPTIONS [ATTRIBUTES]: prints the session cluster as every guide to Tomcat shows it. Only the class differs
# between Tomcat's own and Relevo's. It belongs into the Host, because Tomcat accepts a FarmWarDeployer only there.
cluster() {
  cat <<XML
<Cluster className="$1" channelSendOptions="$4" ${5:-}>
  <Manager className="org.apache.catalina.ha.session.DeltaManager"
           expireSessionsOnShutdown="false" notifyListenersOnReplication="true"/>
  <Channel className="org.apache.catalina.tribes.group.GroupChannel">
    <Membership className="org.apache.catalina.tribes.membership.McastService"
                address="228.0.0.4" port="45564" frequency="500" dropTime="3000" bind="$2"/>
    <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver"
              address="$2" port="$3" autoBind="100" selectorTimeout="5000" maxThreads="6"/>
    <Sender className="org.apache.catalina.tribes.transport.ReplicationTransmitter">
      <Transport className="org.apache.catalina.tribes.transport.nio.PooledParallelSender"/>
    </Sender>
    <Interceptor className="org.apache.catalina.tribes.group.interceptors.TcpFailureDetector"/>
    <Interceptor className="org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor"/>
  </Channel>
  <Valve className="org.apache.catalina.ha.tcp.ReplicationValve" filter=""/>
  <Valve className="org.apache.catalina.ha.session.JvmRouteBinderValve"/>
  <Deployer className="org.apache.catalina.ha.deploy.FarmWarDeployer"
            tempDir="temp" deployDir="webapps" watchDir="war-listen" watchEnabled="false"/>
  <ClusterListener className="org.apache.catalina.ha.session.ClusterSessionListener"/>
</Cluster>
XML
}

# make_tomcat NAME CONNECTOR CLUSTER: makes its CATALINA_BASE, with the counting application at the root.
make_tomcat() {
  local base=$STAGE/$1 web=$STAGE/$1/webapps/ROOT/WEB-INF
  rm -rf "$base"
  mkdir -p "$base"/{conf,lib,logs,temp,work,war-listen} "$web/classes"
  if [ -d "$CATALINA_HOME/conf" ]; then
    cp "$CATALINA_HOME"/conf/{catalina.properties,context.xml,logging.properties,web.xml} "$base/conf/"
  fi
  local packages=jakarta schema='xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0"'
  if is_javax; then packages=javax schema='xmlns="http://xmlns.jcp.org/xml/ns/javaee" version="3.1"'; fi
  sed "s/jakarta\.servlet/$packages.servlet/" "$ROOT/benches/scene/Counter.java" > "$base/temp/Counter.java"
  javac -d "$web/classes" -cp "$CATALINA_HOME/lib/*" "$base/temp/Counter.java"
  cat > "$web/web.xml" <<XML
<web-app $schema metadata-complete="true">
  <distributable/>
  <servlet><servlet-name>counter</servlet-name><servlet-class>Counter</servlet-class></servlet>
  <servlet-mapping><servlet-name>counter</servlet-name><url-pattern>/</url-pattern></servlet-mapping>
</web-app>
XML
  cat > "$base/conf/server.xml" <<XML
<Server port="-1">
  <Service name="Catalina">
    <Connector $2/>
    <Engine name="Catalina" defaultHost="localhost" jvmRoute="$1">
      <Host name="localhost" appBase="webapps" autoDeploy="false">
$3
      </Host>
    </Engine>
  </Service>
</Server>
XML
}

# give_relevo NAME: adds the jar and the cluster's key, which Relevo's class needs.
give_relevo() {
  cp "$(relevo_jar)" "$STAGE/$1/lib/"
  [ -f "$STAGE/relevo.key" ] || "$RELEVO" keygen "$STAGE/relevo.key"
  cp "$STAGE/relevo.key" "$STAGE/$1/conf/relevo.key"
}

# make_http_tomcat NAME HTTP UDP OPTIONS: makes tomcatN with the stock block, Relevo and HTTP. It receives at UDP + N; HTTP[NAME], of an
# array that the script declares, is the first free port from HTTP + N on.
make_http_tomcat() {
  local number=${1#tomcat}
  HTTP[$1]=$(free_port $(($2 + number)))
  make_tomcat "$1" "protocol=\"HTTP/1.1\" address=\"127.0.0.1\" port=\"${HTTP[$1]}\"" \
    "$(cluster "$RELEVO_CLUSTER" 127.0.0.1 $(($3 + number)) "$4")"
  give_relevo "$1"
}

# start_tomcat NAME [PREFIX…]: catalina.sh becomes the JVM, so its process id is the Tomcat's. HEAP is the JVM's memory.
HEAP='-Xms128m -Xmx512m'
start_tomcat() {
  local name=$1; shift
  start "$name" "$@" env CATALINA_HOME="$CATALINA_HOME" CATALINA_BASE="$STAGE/$name" \
    CATALINA_OPTS="$HEAP -Dscene.node=$name -Djava.net.preferIPv4Stack=true -Duser.language=en" \
    "$CATALINA_HOME/bin/catalina.sh" run
}

# serves NAME: whether the Tomcat says that it has started. Its ports are open long before.
serves() {
  kill -0 "${PIDS[$1]}" 2> /dev/null || die "$1 has ended: $STAGE/$1/out says why"
  grep -q 'Server startup in' "$STAGE/$1/out"
}

# --- httpd ---------------------------------------------------------------------------------------------------------

HTTPD_MODULES=/usr/lib/apache2/modules

# This installs only programs and modules of httpd, because the package apache2 itself would start a service.
need_httpd() {
  need apache2-bin test -x /usr/sbin/apache2
  need libapache2-mod-jk test -f $HTTPD_MODULES/mod_jk.so
  need "curl ca-certificates" curl --version
  need_end
}

# make_httpd: makes an httpd on port HTTP, in front of the Tomcats at AJP[1] and AJP[2]. mod_jk has its defaults: sticky sessions, and
# when a worker fails the other one answers.
make_httpd() {
  mkdir -p "$STAGE/httpd"
  cd "$STAGE/httpd"
  cat > workers.properties <<TEXT
worker.list=cluster
worker.cluster.type=lb
worker.cluster.balance_workers=tomcat1,tomcat2
worker.cluster.sticky_session=true
worker.tomcat1.type=ajp13
worker.tomcat1.host=127.0.0.1
worker.tomcat1.port=${AJP[1]}
worker.tomcat2.type=ajp13
worker.tomcat2.host=127.0.0.1
worker.tomcat2.port=${AJP[2]}
TEXT
  cat > httpd.conf <<TEXT
ServerRoot $PWD
ServerName 127.0.0.1
Listen 127.0.0.1:$HTTP
PidFile httpd.pid
ErrorLog error.log
LoadModule mpm_event_module $HTTPD_MODULES/mod_mpm_event.so
LoadModule authz_core_module $HTTPD_MODULES/mod_authz_core.so
LoadModule jk_module $HTTPD_MODULES/mod_jk.so
User www-data
Group www-data
MaxKeepAliveRequests 0
JkWorkersFile workers.properties
JkShmFile mod_jk.shm
JkLogFile mod_jk.log
JkMount /* cluster
TEXT
  cd "$ROOT"
}

start_httpd() {
  PATH=$PATH:/usr/sbin start httpd apache2 -f "$STAGE/httpd/httpd.conf" -DFOREGROUND
  wait_for 60 httpd is_listening 127.0.0.1 "$HTTP"
}
