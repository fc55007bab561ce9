# An OpenVPN server on Ubuntu 24.04. Each instance makes its own certificate authority and keys at its first boot.
#
#   kiln build templates/openvpn
#   kiln build --local templates/openvpn        (a Debian base plays Ubuntu; both have the packages)
#
# Launch the image with UDP port 1194 open, then on the instance:
#
#   sudo openvpn-client alice > alice.ovpn

packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = "~> 1"
    }
  }
}

variable "region" {
  type        = string
  default     = "us-east-1"
  description = "Region that the AMI is made in."
}

variable "instance_type" {
  type        = string
  default     = "t3.micro"
  description = "Type of the temporary instance."
}

variable "image_version" {
  type        = string
  default     = "1.0.0"
  description = "Version of the image, for its tags and its name."

  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", var.image_version))
    error_message = "The image_version must look like 1.2.3."
  }
}

variable "vpn_port" {
  type        = number
  default     = 1194
  description = "UDP port that the server listens on."

  validation {
    condition     = var.vpn_port >= 1 && var.vpn_port <= 65535
    error_message = "The vpn_port must be from 1 to 65535."
  }
}

variable "vpn_network" {
  type        = string
  default     = "10.8.0.0/24"
  description = "Network that clients get their addresses from. It must not overlap the VPC's."

  validation {
    condition     = can(cidrnetmask(var.vpn_network))
    error_message = "The vpn_network must be an IPv4 network in CIDR form, 10.8.0.0/24 for one."
  }
}

variable "manifest" {
  type        = string
  default     = "packer-manifest.json"
  description = "File that each finished build is appended to."
}

locals {
  stamp        = formatdate("YYYYMMDD-hhmmss", timestamp())
  provisioners = "${path.root}/../../provisioners"
  as_root      = "chmod +x {{ .Path }}; sudo env {{ .Vars }} {{ .Path }}"

  # abspath: a relative path would be taken from path.root, not from the working directory.
  server_conf = templatefile("${abspath(path.root)}/files/server.conf.pkrtpl.hcl", {
    port    = var.vpn_port
    network = cidrhost(var.vpn_network, 0)
    netmask = cidrnetmask(var.vpn_network)
  })
}

data "amazon-ami" "ubuntu" {
  region      = var.region
  owners      = ["099720109477"] # Canonical
  most_recent = true
  filters = {
    name                = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*"
    architecture        = "x86_64"
    root-device-type    = "ebs"
    virtualization-type = "hvm"
  }
}

source "amazon-ebs" "openvpn" {
  region        = var.region
  instance_type = var.instance_type
  source_ami    = data.amazon-ami.ubuntu.id
  ssh_username  = "ubuntu"

  ami_name        = "kiln-openvpn-${var.image_version}-${local.stamp}"
  ami_description = "OpenVPN server on ${data.amazon-ami.ubuntu.name}"
  imds_support    = "v2.0"

  run_tags = {
    Name = "kiln-openvpn (temporary)"
  }

  tags = {
    Name    = "kiln-openvpn"
    Version = var.image_version
    Base    = data.amazon-ami.ubuntu.name
    Baked   = local.stamp
  }
}

build {
  name    = "openvpn"
  sources = ["source.amazon-ebs.openvpn"]

  provisioner "shell" {
    script = "${local.provisioners}/wait-for-cloud-init.sh"
  }

  # curl: openvpn-client asks the metadata service for the public address.
  provisioner "shell" {
    script           = "${local.provisioners}/install-packages.sh"
    execute_command  = local.as_root
    environment_vars = ["PACKAGES=openvpn easy-rsa nftables openssl curl"]
  }

  provisioner "shell" {
    inline = ["mkdir -p /tmp/openvpn"]
  }

  provisioner "file" {
    source      = "${path.root}/files/"
    destination = "/tmp/openvpn"
  }

  provisioner "file" {
    content     = local.server_conf
    destination = "/tmp/openvpn/server.conf"
  }

  provisioner "shell" {
    script          = "${local.provisioners}/install-openvpn.sh"
    execute_command = local.as_root
    environment_vars = [
      "OPENVPN_FROM=/tmp/openvpn",
      "OPENVPN_NETWORK=${var.vpn_network}",
    ]
  }

  provisioner "shell" {
    script           = "${local.provisioners}/restart-policy.sh"
    execute_command  = local.as_root
    environment_vars = ["UNIT=openvpn-server@server.service"]
  }

  provisioner "shell" {
    script          = "${local.provisioners}/check-openvpn.sh"
    execute_command = local.as_root
  }

  provisioner "shell" {
    script          = "${local.provisioners}/prepare-for-image.sh"
    execute_command = local.as_root
  }

  post-processor "manifest" {
    output = var.manifest
    custom_data = {
      version = var.image_version
    }
  }
}
