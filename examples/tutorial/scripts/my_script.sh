#!/bin/sh
echo "this came from a machine far away"
