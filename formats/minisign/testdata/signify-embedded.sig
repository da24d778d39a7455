untrusted comment: verify with release.pub
RWTcfTlXU3HuCLOtwHm4cYveZWtsU/YV/+A6vCuuuQTyG59nREhXrdMLsJqMY89j4LmmcMWtbgK0HPX/Lkb7hsck7peL2qX4Xgw=
released with care
version 1.0
