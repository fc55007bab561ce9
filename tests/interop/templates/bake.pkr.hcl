# A bake whose EC2 is moto and whose instance is a real OpenSSH server beside it. Scripts touch `workdir` alone: they
# run on the machine that runs the tests.

packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = "~> 1"
    }
  }
}

variable "endpoint" {
  type    = string
  default = null
}

variable "source_ami" {
  type = string
}

variable "ssh_port" {
  type = number
}

variable "ssh_key" {
  type = string
}

variable "ssh_username" {
  type = string
}

variable "transfer" {
  type    = string
  default = null
}

variable "workdir" {
  type = string
}

variable "manifest" {
  type = string
}

variable "step" {
  type        = string
  default     = "true"
  description = "Command of the last provisioner: what the test wants to see happen."
}

source "amazon-ebs" "interop" {
  region                  = "us-east-1"
  custom_endpoint_ec2     = var.endpoint
  source_ami              = var.source_ami
  instance_type           = "t3.micro"
  ami_name                = "interop"
  ami_description         = "from {{ .SourceAMI }}"
  temporary_key_pair_type = "ed25519"

  ssh_host                 = "127.0.0.1"
  ssh_port                 = var.ssh_port
  ssh_username             = var.ssh_username
  ssh_private_key_file     = var.ssh_key
  ssh_file_transfer_method = var.transfer
  ssh_timeout              = "30s"

  run_tags = {
    Purpose = "interop"
  }
  tags = {
    Name    = "interop"
    Base    = "{{ .SourceAMI }}"
    Version = "1.2.3"
  }
}

build {
  sources = ["source.amazon-ebs.interop"]

  provisioner "shell" {
    inline           = ["mkdir -p \"$WORK/in\"", "echo \"$PACKER_BUILD_NAME\" > \"$WORK/build-name\""]
    environment_vars = ["WORK=${var.workdir}"]
  }

  provisioner "file" {
    source      = "${path.root}/payload/"
    destination = "${var.workdir}/in"
  }

  provisioner "file" {
    content     = "made up\n"
    destination = "${var.workdir}/in/content.txt"
  }

  provisioner "file" {
    direction   = "download"
    source      = "${var.workdir}/in/sub/two.txt"
    destination = "${var.workdir}/back.txt"
  }

  provisioner "shell" {
    inline = [var.step]
  }

  post-processor "manifest" {
    output = var.manifest
    custom_data = {
      version = "1.2.3"
    }
  }
}
