# A Grafana server on Debian 12: starts at boot, restarts on failure, has a password of its own on each instance.
#
#   kiln build templates/grafana
#   kiln build --local templates/grafana                                     (the instance needs a way to apt.grafana.com)
#   kiln build --local -var package_source=debian templates/grafana          (Debian's mirror is enough)
#
# Debian has no Grafana. With package_source = "debian" the template bakes a STAND-IN: Prometheus, another monitoring server
# with a web page, put through the same steps (packages, restart policy, first-boot password unit, HTTP check). That is for
# rehearsals and tests where Grafana's own repository can't be reached. The image is named and tagged after what is in it.

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

variable "package_source" {
  type        = string
  default     = "grafana-apt"
  description = "`grafana-apt`: Grafana from its makers' repository. `debian`: Prometheus as a stand-in, see above."

  validation {
    condition     = contains(["grafana-apt", "debian"], var.package_source)
    error_message = "The package_source must be grafana-apt or debian."
  }
}

variable "grafana_version" {
  type        = string
  default     = ""
  description = "Version of the grafana package, 12.0.2 for one; the newest when empty."

  validation {
    condition     = can(regex("^([0-9]+\\.[0-9]+\\.[0-9]+)?$", var.grafana_version))
    error_message = "The grafana_version must look like 12.0.2, or be empty."
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

  products = {
    grafana-apt = {
      name    = "grafana"
      unit    = "grafana-server.service"
      package = var.grafana_version == "" ? "grafana" : "grafana=${var.grafana_version}"
      url     = "http://127.0.0.1:3000/api/health"
      # The trial's database holds the stock admin login; each instance makes its own with its own password.
      forget = "/var/lib/grafana/grafana.db"
    }
    debian = {
      name    = "prometheus"
      unit    = "prometheus.service"
      package = "prometheus"
      url     = "http://127.0.0.1:9090/-/ready"
      forget  = "/var/lib/prometheus/metrics2"
    }
  }
  product = local.products[var.package_source]
}

# The newest Debian 12. Looked up before the build starts, so that the name below can be shown and tagged.
data "amazon-ami" "debian" {
  region      = var.region
  owners      = ["136693071363"] # Debian
  most_recent = true
  filters = {
    name                = "debian-12-amd64-*"
    architecture        = "x86_64"
    root-device-type    = "ebs"
    virtualization-type = "hvm"
  }
}

source "amazon-ebs" "grafana" {
  region        = var.region
  instance_type = var.instance_type
  source_ami    = data.amazon-ami.debian.id
  ssh_username  = "admin"

  ami_name        = "kiln-${local.product.name}-${var.image_version}-${local.stamp}"
  ami_description = "${local.product.name} on ${data.amazon-ami.debian.name}"
  imds_support    = "v2.0"

  run_tags = {
    Name = "kiln-${local.product.name} (temporary)"
  }

  tags = {
    Name    = "kiln-${local.product.name}"
    Version = var.image_version
    Product = local.product.package
    Base    = data.amazon-ami.debian.name
    Baked   = local.stamp
  }
}

build {
  name    = "grafana"
  sources = ["source.amazon-ebs.grafana"]

  provisioner "shell" {
    script = "${local.provisioners}/wait-for-cloud-init.sh"
  }

  # curl fetches the repository's key and asks the finished service whether it is well.
  provisioner "shell" {
    script           = "${local.provisioners}/install-packages.sh"
    execute_command  = local.as_root
    environment_vars = ["PACKAGES=ca-certificates curl"]
  }

  dynamic "provisioner" {
    for_each = var.package_source == "grafana-apt" ? ["add-grafana-repository.sh"] : []
    labels   = ["shell"]
    content {
      script          = "${local.provisioners}/${provisioner.value}"
      execute_command = local.as_root
    }
  }

  provisioner "shell" {
    script           = "${local.provisioners}/install-packages.sh"
    execute_command  = local.as_root
    environment_vars = ["PACKAGES=${local.product.package}"]
  }

  provisioner "shell" {
    script           = "${local.provisioners}/restart-policy.sh"
    execute_command  = local.as_root
    environment_vars = ["UNIT=${local.product.unit}"]
  }

  # Checked before the password unit is there: the trial must not make the password that all instances would share.
  provisioner "shell" {
    script          = "${local.provisioners}/check-http-service.sh"
    execute_command = local.as_root
    environment_vars = [
      "UNIT=${local.product.unit}",
      "URL=${local.product.url}",
      "FORGET=${local.product.forget}",
    ]
  }

  provisioner "shell" {
    script           = "${local.provisioners}/grafana-first-boot.sh"
    execute_command  = local.as_root
    environment_vars = ["UNIT=${local.product.unit}"]
  }

  provisioner "shell" {
    script          = "${local.provisioners}/prepare-for-image.sh"
    execute_command = local.as_root
  }

  post-processor "manifest" {
    output = var.manifest
    custom_data = {
      version = var.image_version
      product = local.product.package
    }
  }
}
