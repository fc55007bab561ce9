# An image on top of an image: the newest one that templates/quickstart made in your account is the base.
#
#   kiln build --local templates/quickstart && kiln build --local templates/layered
#
# It first checks that the base is what it says it is: a service that was enabled there must run here.

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
  description = "Region of the base image and of the new one."
}

variable "instance_type" {
  type        = string
  default     = "t3.micro"
  description = "Type of the temporary instance."
}

variable "image_version" {
  type        = string
  default     = "1.0.0"
  description = "Version of this image; the base has its own."

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
  stamp        = formatdate("YYYYMMDD-hhmmss", timestamp())
  provisioners = "${path.root}/../../provisioners"
}

source "amazon-ebs" "layered" {
  region        = var.region
  instance_type = var.instance_type
  ssh_username  = "admin"

  ami_name        = "kiln-layered-${var.image_version}-${local.stamp}"
  ami_description = "Built on {{ .SourceAMIName }}"

  # `self` keeps out an image that a stranger has shared under the same name.
  source_ami_filter {
    owners      = ["self"]
    most_recent = true
    filters = {
      "tag:Name"   = "kiln-quickstart"
      architecture = "x86_64"
      state        = "available"
    }
  }

  run_tags = {
    Name = "kiln-layered (temporary)"
  }

  tags = {
    Name        = "kiln-layered"
    Version     = var.image_version
    Base        = "{{ .SourceAMI }}"
    BaseName    = "{{ .SourceAMIName }}"
    BaseVersion = "{{ .SourceAMITags.Version }}"
  }
}

build {
  name    = "layered"
  sources = ["source.amazon-ebs.layered"]

  provisioner "shell" {
    script = "${local.provisioners}/wait-for-cloud-init.sh"
  }

  provisioner "shell" {
    script = "${local.provisioners}/check-hello.sh"
  }

  # What this layer adds: more patience for the service, and a line for those who log in.
  provisioner "shell" {
    script          = "${local.provisioners}/restart-policy.sh"
    execute_command = "chmod +x {{ .Path }}; sudo env {{ .Vars }} {{ .Path }}"
    environment_vars = [
      "UNIT=hello.service",
      "RESTART_SEC=2",
    ]
  }

  provisioner "file" {
    content     = "This machine runs kiln-layered ${var.image_version}, baked ${local.stamp}.\n"
    destination = "/tmp/motd"
  }

  provisioner "shell" {
    inline = [
      "sudo install -m 0644 /tmp/motd /etc/motd",
      "rm /tmp/motd",
      "sudo systemctl restart hello.service",
      "systemctl show hello.service --property=Restart,RestartUSec,ActiveState",
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
