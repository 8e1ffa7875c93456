/**
 * What a call on the UNIX socket says, and what is answered (varlink.org, "Method Call" and "Error"):
 *
 *   call   {"method", "parameters"?, "more"?, "oneway"?, "upgrade"?}
 *   reply  {"parameters", "continues"?}      error  {"error", "parameters"}
 *
 * A method of ours may be named without its interface.
 */
import type { MethodName } from '../../api/api.ts'
import { ApiError, errors, INTERFACE, methods, VERSION } from '../../api/api.ts'
import { idl, SERVICE, serviceIdl } from '../../api/idl.ts'

export interface VarlinkCall {
  /** A method of ours, or one of org.varlink.service, which answer with what does not change. */
  readonly method: { readonly ours: MethodName } | { readonly service: 'GetInfo' | 'GetInterfaceDescription' }
  readonly parameters: { readonly [name: string]: unknown }
  readonly more: boolean
  readonly oneway: boolean
}

/** An error of org.varlink.service: about the call, not about what it asked for. */
export class VarlinkError extends Error {
  override name = 'VarlinkError'
  readonly error: string
  readonly parameters: { readonly [name: string]: string }
  constructor(error: string, parameters: { readonly [name: string]: string } = {}) {
    super(error)
    this.error = `${SERVICE}.${error}`
    this.parameters = parameters
  }
}

/** The call before it is known to make sense: whether it wants an answer at all must be known even then. */
export interface RawCall {
  readonly [name: string]: unknown
}

const MEMBERS = ['method', 'parameters', 'more', 'oneway', 'upgrade']

export function parse(text: string): RawCall {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ApiError('InvalidValue', `the call is not good JSON: ${(error as Error).message}`)
  }
}

/** Throws VarlinkError or ApiError. */
export function read(raw: RawCall): VarlinkCall {
  const unknown = Object.keys(raw).find(name => !MEMBERS.includes(name))
  if (unknown !== undefined) {
    throw new ApiError(
      'InvalidValue',
      `a call has no member ${JSON.stringify(unknown)} (known: ${MEMBERS.join(', ')}); what a method takes stands in "parameters"`
    )
  }
  const { method, parameters = {} } = raw
  if (typeof method !== 'string') {
    throw new ApiError('InvalidValue', 'a call names its "method", such as {"method":"Status"}')
  }
  if (typeof parameters !== 'object' || parameters === null || Array.isArray(parameters)) {
    throw new VarlinkError('InvalidParameter', { parameter: 'parameters' })
  }
  for (const name of ['more', 'oneway', 'upgrade']) {
    if (typeof (raw[name] ?? false) !== 'boolean')
      throw new VarlinkError('InvalidParameter', { parameter: name })
  }
  if (raw['upgrade'] === true) throw new VarlinkError('InvalidParameter', { parameter: 'upgrade' })
  const found = find(method)
  const more = raw['more'] === true
  const oneway = raw['oneway'] === true
  if ('ours' in found && methods[found.ours].kind === 'stream' && (!more || oneway)) {
    throw new VarlinkError('ExpectedMore')
  }
  return { method: found, parameters: withoutNulls(parameters), more, oneway }
}

function find(method: string): VarlinkCall['method'] {
  const dot = method.lastIndexOf('.')
  const from = dot < 0 ? INTERFACE : method.slice(0, dot)
  const name = method.slice(dot + 1)
  if (from === INTERFACE && Object.hasOwn(methods, name)) return { ours: name as MethodName }
  if (from === SERVICE && (name === 'GetInfo' || name === 'GetInterfaceDescription')) return { service: name }
  if (from === INTERFACE || from === SERVICE) throw new VarlinkError('MethodNotFound', { method })
  throw new VarlinkError('InterfaceNotFound', { interface: from })
}

/** In Varlink a null stands for an optional parameter that was left out. */
function withoutNulls(parameters: object): VarlinkCall['parameters'] {
  const entries = Object.entries(parameters)
  return entries.some(([, value]) => value === null)
    ? Object.fromEntries(entries.filter(([, value]) => value !== null))
    : (parameters as VarlinkCall['parameters'])
}

/** Answers of org.varlink.service. */
export function describe(method: 'GetInfo' | 'GetInterfaceDescription', parameters: object): object {
  const names = Object.keys(parameters)
  const unknown = names.find(name => method === 'GetInfo' || name !== 'interface')
  if (unknown !== undefined) throw new VarlinkError('InvalidParameter', { parameter: unknown })
  if (method === 'GetInfo') {
    return {
      vendor: 'Coterie',
      product: 'coteried',
      version: VERSION,
      url: '',
      interfaces: [INTERFACE, SERVICE]
    }
  }
  const wanted = (parameters as { interface?: unknown }).interface
  if (typeof wanted !== 'string') throw new VarlinkError('InvalidParameter', { parameter: 'interface' })
  if (wanted === INTERFACE) return { description: idl() }
  if (wanted === SERVICE) return { description: serviceIdl }
  throw new VarlinkError('InterfaceNotFound', { interface: wanted })
}

/** The error reply; anything that is no error of the API or of Varlink tells the client nothing. */
export function errorReply(error: unknown): { error: string; parameters: object } {
  if (error instanceof VarlinkError) return { error: error.error, parameters: error.parameters }
  if (error instanceof ApiError && Object.hasOwn(errors, error.code)) {
    return { error: `${INTERFACE}.${error.code}`, parameters: { Message: error.message } }
  }
  return { error: `${INTERFACE}.Internal`, parameters: { Message: 'internal error' } }
}
