#!/bin/sh
# Kiln's stand-in for cloud-init in a local instance whose image has none. It is not part of the image.

status_file=/run/kiln/cloud-init.status

status() {
    cat "$status_file" 2>/dev/null || echo "not started"
}

print_status() {
    case "$format" in
    json) printf '{"status": "%s", "datasource": "ec2", "errors": []}\n' "$(status)" ;;
    *)
        echo "status: $(status)"
        if [ "$long" = yes ]; then
            echo "boot_status_code: enabled-by-generator"
            echo "detail: DataSourceEc2Local (Kiln's stand-in)"
        fi
        ;;
    esac
}

status_command() {
    wait=no long=no format=tabular
    while [ $# -gt 0 ]; do
        case "$1" in
        -w | --wait) wait=yes ;;
        -l | --long) long=yes ;;
        --format=*) format=${1#--format=} ;;
        --format)
            format=$2
            shift
            ;;
        *)
            echo "cloud-init (Kiln's stand-in): unknown option $1" >&2
            exit 2
            ;;
        esac
        shift
    done
    if [ "$wait" = yes ]; then
        while [ "$(status)" = running ]; do
            printf .
            sleep 0.1
        done
        echo
    fi
    print_status
    [ "$(status)" != error ]
}

clean_command() {
    reboot=no
    for argument in "$@"; do
        case "$argument" in
        -l | --logs) rm -f /var/log/cloud-init.log /var/log/cloud-init-output.log ;;
        -r | --reboot) reboot=yes ;;
        --machine-id) echo uninitialized >/etc/machine-id ;;
        -s | --seed) ;;
        *)
            echo "cloud-init (Kiln's stand-in): unknown option $argument" >&2
            exit 2
            ;;
        esac
    done
    rm -rf /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/data /var/lib/cloud/sem
    if [ "$reboot" = yes ]; then
        reboot
    fi
}

command=$1
[ $# -gt 0 ] && shift
case "$command" in
status) status_command "$@" ;;
clean) clean_command "$@" ;;
-v | --version) echo "/usr/bin/cloud-init 22.4 (Kiln's stand-in)" ;;
*)
    echo "cloud-init (Kiln's stand-in): '$command' is not available in this local instance" >&2
    exit 2
    ;;
esac
