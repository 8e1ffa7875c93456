/** The bill of materials: CycloneDX 1.6, of what is actually inside, with the sums that npm checked. */
import { createHash } from 'node:crypto'
import type { Component } from './components.ts'
import { epoch } from './run.ts'
import type { Target } from './target.ts'

const SPDX = new Set(['MIT', 'Apache-2.0', 'BSD-3-Clause', 'ISC', 'blessing'])

function entry(its: Component, above = ''): object {
  const reference = `${above}${its.purl}`
  return {
    type: its.name === 'node' ? 'platform' : 'library',
    'bom-ref': reference,
    name: its.name,
    version: its.version,
    ...(its.integrity && {
      hashes: [{ alg: 'SHA-512', content: Buffer.from(its.integrity.slice(7), 'base64').toString('hex') }]
    }),
    ...(its.licence && {
      licenses: [
        {
          license: SPDX.has(its.licence)
            ? { id: its.licence }
            : { name: its.licence.replace('LicenseRef-', '') }
        }
      ]
    }),
    ...(its.copyright.length > 0 && { copyright: its.copyright.join('\n') }),
    purl: its.purl,
    ...(its.parts.length > 0 && { components: its.parts.map(part => entry(part, `${reference}/`)) })
  }
}

/** The serial number is a digest of the rest: the same components have the same one. */
export function bill(all: readonly Component[], version: string, target: Target): string {
  const purl = `pkg:generic/coterie@${version}?arch=${target.deb}`
  const components = all.map(its => entry(its))
  const h = createHash('sha256').update(JSON.stringify(components)).update(purl).digest('hex')
  // a UUID made from a digest, version 8
  const uuid = `${h.slice(0, 8)}-${h.slice(8, 12)}-8${h.slice(13, 16)}-a${h.slice(17, 20)}-${h.slice(20, 32)}`
  const document = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuid}`,
    version: 1,
    metadata: {
      timestamp: new Date(epoch * 1000).toISOString(),
      component: {
        type: 'application',
        'bom-ref': purl,
        name: 'coterie',
        version,
        licenses: [{ license: { id: 'Apache-2.0' } }],
        purl
      }
    },
    components,
    dependencies: [{ ref: purl, dependsOn: all.map(its => its.purl) }]
  }
  return `${JSON.stringify(document, null, 1)}\n`
}
