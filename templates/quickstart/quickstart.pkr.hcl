# The smallest honest bake: Debian 12, one service that starts at boot, one versioned AMI.
#
#   kiln build --local templates/quickstart     on this machine, as root, with no network and no account
#   kiln build templates/quickstart             on AWS, with your credentials
#
# Nothing is installed from the network, so that the first bake you try can't fail for want of a mirror.

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
  description = "Type of the temporary instance. It must be an x86_64 one, as the base image is."
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

variable "manifest" {
  type        = string
  default     = "packer-manifest.json"
  description = "File that each finished build is appended to."
}

locals {
  # An AMI's name is unique in its account and region; the time makes it so. EC2 forbids `:` in it.
  stamp        = formatdate("YYYYMMDD-hhmmss", timestamp())
  provisioners = "${path.root}/../../provisioners"
}

source "amazon-ebs" "quickstart" {
  region        = var.region
  instance_type = var.instance_type
  ssh_username  = "admin"

  ami_name        = "kiln-quickstart-${var.image_version}-${local.stamp}"
  ami_description = "Debian 12 with a hello service, from {{ .SourceAMIName }}"

  source_ami_filter {
    owners      = ["136693071363"] # Debian
    most_recent = true
    filters = {
      name                = "debian-12-amd64-*"
      architecture        = "x86_64"
      root-device-type    = "ebs"
      virtualization-type = "hvm"
    }
  }

  run_tags = {
    Name = "kiln-quickstart (temporary)"
  }

  # An AMI gets the tags of its run too, and what is here wins.
  tags = {
    Name    = "kiln-quickstart"
    Version = var.image_version
    Base    = "{{ .SourceAMIName }}"
  }
}

build {
  name    = "quickstart"
  sources = ["source.amazon-ebs.quickstart"]

  # cloud-init may still be writing to the disk when SSH answers.
  provisioner "shell" {
    script = "${local.provisioners}/wait-for-cloud-init.sh"
  }

  provisioner "shell" {
    inline = ["mkdir -p /tmp/hello"]
  }

  # A directory: with the trailing slash, what is in it goes to the destination.
  provisioner "file" {
    source      = "${path.root}/files/"
    destination = "/tmp/hello"
  }

  # One file, made up here.
  provisioner "file" {
    content     = "version=${var.image_version}\nbaked=${local.stamp}\n"
    destination = "/tmp/hello/release"
  }

  # The login user may not write to /etc; `sudo env` hands the variables over whatever sudo's own rules are.
  provisioner "shell" {
    script          = "${local.provisioners}/install-hello.sh"
    execute_command = "chmod +x {{ .Path }}; sudo env {{ .Vars }} {{ .Path }}"
    environment_vars = [
      "HELLO_FROM=/tmp/hello",
    ]
  }

  # A build that can't show that it works should not become an image.
  provisioner "shell" {
    inline = [
      "systemctl is-enabled hello.service",
      "systemctl is-active hello.service",
      "cat /etc/hello/release",
    ]
  }

  provisioner "shell" {
    script          = "${local.provisioners}/prepare-for-image.sh"
    execute_command = "chmod +x {{ .Path }}; sudo env {{ .Vars }} {{ .Path }}"
  }

  post-processor "manifest" {
    output = var.manifest
    custom_data = {
      version = var.image_version
    }
  }
}
